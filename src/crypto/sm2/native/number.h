/*
 * Numbers of 256 bits in nine limbs of 29 bits, least significant first. Products of limbs are summed in 64 bits without a
 * carry between them, which is what WebAssembly is quick at: it has no multiplication with 128 bits of result.
 *
 * Secrets go through these functions. No branch and no index may depend on a value, only on places; a choice is a mask.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdint.h>

enum { LIMBS = 9, LIMB_BITS = 29, LIMB_MASK = (1 << LIMB_BITS) - 1, NUMBER_BYTES = 32 };

/*
 * "Tight": limbs 0 to 7 are in [0, 2^29), and limb 8 carries the sign. The functions of this file give tight numbers and, but for
 * `number_carry`, expect them.
 */
typedef struct {
  int32_t limb[LIMBS];
} Number;

/* All ones for yes, zero for no. */
typedef uint32_t Mask;

/*
 * Hides a value from the compiler, which would see that a mask has two values and write a `select`: that is a branch on the
 * processors that have no such instruction. The build refuses a module in which one is left.
 */
static inline uint32_t opaque(uint32_t value) {
  __asm__("" : "+r"(value));
  return value;
}

static inline Mask mask_if_zero(uint32_t bits) {
  const uint32_t top_bit_unless_zero = opaque(bits | (0 - bits));
  return opaque((top_bit_unless_zero >> 31) - 1);
}

static inline Mask mask_if_negative(int32_t number) {
  return opaque((Mask)(number >> 31));
}

static inline Mask number_is_zero(const Number *a) {
  uint32_t bits = 0;
  for (int i = 0; i < LIMBS; i++) bits |= (uint32_t)a->limb[i];
  return mask_if_zero(bits);
}

static inline void number_select(Number *result, Mask mask, const Number *if_set, const Number *if_clear) {
  for (int i = 0; i < LIMBS; i++) {
    const uint32_t either = (uint32_t)if_set->limb[i] ^ (uint32_t)if_clear->limb[i];
    result->limb[i] = (int32_t)((uint32_t)if_clear->limb[i] ^ (either & mask));
  }
}

static inline void number_carry(Number *a) {
  for (int i = 0; i < LIMBS - 1; i++) {
    a->limb[i + 1] += a->limb[i] >> LIMB_BITS;
    a->limb[i] &= LIMB_MASK;
  }
}

static inline Mask number_is_below(const Number *a, const Number *bound) {
  Number difference;
  for (int i = 0; i < LIMBS; i++) difference.limb[i] = a->limb[i] - bound->limb[i];
  number_carry(&difference);
  return mask_if_negative(difference.limb[LIMBS - 1]);
}

/* Takes the modulus away when a is not below it. */
static inline void number_reduce_once(Number *a, const Number *modulus) {
  Number difference;
  for (int i = 0; i < LIMBS; i++) difference.limb[i] = a->limb[i] - modulus->limb[i];
  number_carry(&difference);
  number_select(a, mask_if_negative(difference.limb[LIMBS - 1]), a, &difference);
}

/* 32 bytes, most significant first. */
void number_read(Number *result, const uint8_t bytes[NUMBER_BYTES]);
void number_write(uint8_t bytes[NUMBER_BYTES], const Number *a);

/* Zeroes that the compiler may not leave out. */
void wipe(void *memory, uint32_t bytes);

typedef void Multiply(Number *result, const Number *a, const Number *b);

/* a^exponent, the exponent public and written as 32 bytes, most significant first. Inlined, so that each modulus has its own. */
static inline __attribute__((always_inline)) void number_raise(Number *result, const Number *a, const Number *one,
                                                               const uint8_t exponent[NUMBER_BYTES],
                                                               Multiply *multiply) {
  Number powers[16];
  powers[0] = *one;
  for (int i = 1; i < 16; i++) multiply(&powers[i], &powers[i - 1], a);
  Number product = *one;
  for (int i = 0; i < 2 * NUMBER_BYTES; i++) {
    for (int square = 0; square < 4; square++) multiply(&product, &product, &product);
    const int digit = exponent[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
    multiply(&product, &product, &powers[digit]);
  }
  *result = product;
  wipe(powers, sizeof powers);
}

#endif
