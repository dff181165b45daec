#include "number.h"

void number_read(Number *result, const uint8_t bytes[NUMBER_BYTES]) {
  uint64_t held = 0;
  int bits = 0;
  int next = 0;
  for (int i = NUMBER_BYTES - 1; i >= 0; i--) {
    held |= (uint64_t)bytes[i] << bits;
    bits += 8;
    if (bits < LIMB_BITS) continue;
    result->limb[next] = (int32_t)(held & LIMB_MASK);
    next += 1;
    held >>= LIMB_BITS;
    bits -= LIMB_BITS;
  }
  result->limb[next] = (int32_t)held;
}

void number_write(uint8_t bytes[NUMBER_BYTES], const Number *a) {
  uint64_t held = 0;
  int bits = 0;
  int next = NUMBER_BYTES - 1;
  for (int i = 0; i < LIMBS; i++) {
    held |= (uint64_t)(uint32_t)a->limb[i] << bits;
    bits += LIMB_BITS;
    for (; bits >= 8 && next >= 0; bits -= 8) {
      bytes[next] = (uint8_t)held;
      next -= 1;
      held >>= 8;
    }
  }
}

void wipe(void *memory, uint32_t bytes) {
  volatile uint8_t *place = memory;
  volatile uint32_t *words = memory;
  uint32_t done = 0;
  if (((uintptr_t)memory & 3) == 0) {
    for (; done + 4 <= bytes; done += 4) words[done / 4] = 0;
  }
  for (; done < bytes; done++) place[done] = 0;
}

/* The compiler writes calls to these two, and a freestanding module has no library to take them from. */
void *memcpy(void *to, const void *from, unsigned long bytes) {
  uint8_t *target = to;
  const uint8_t *source = from;
  for (unsigned long i = 0; i < bytes; i++) target[i] = source[i];
  return to;
}

void *memset(void *memory, int value, unsigned long bytes) {
  uint8_t *place = memory;
  for (unsigned long i = 0; i < bytes; i++) place[i] = (uint8_t)value;
  return memory;
}
