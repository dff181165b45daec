#include "field.h"

const Number FIELD_PRIME = {
    {0x1fffffff, 0x1fffffff, 0x0000003f, 0x1ffffe00, 0x1fffffff, 0x1fffffff, 0x1fffffff, 0x1fdfffff, 0x00ffffff}};
Field FIELD_ONE;

static Field R_SQUARED;

static const uint8_t PRIME_LESS_TWO[NUMBER_BYTES] = {
    0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd};

/*
 * Folds what stands above 2^256 back: q * 2^256 is q * (2^224 + 2^96 - 2^64 + 1) modulo p. Then each limb gives its carry to the
 * next, all at once and not one after the other: a carry is from -2 to 2, and so limbs end within the bounds.
 */
static inline void fold(Field *a) {
  const int32_t q = a->limb[8] >> 24;
  a->limb[8] &= (1 << 24) - 1;
  a->limb[7] += q * (1 << 21);
  a->limb[3] += q * (1 << 9);
  a->limb[2] -= q * (1 << 6);
  a->limb[0] += q;
  int32_t carried[LIMBS];
  for (int i = 0; i < LIMBS - 1; i++) carried[i + 1] = a->limb[i] >> LIMB_BITS;
  a->limb[0] &= LIMB_MASK;
  for (int i = 1; i < LIMBS - 1; i++) a->limb[i] = (a->limb[i] & LIMB_MASK) + carried[i];
  a->limb[8] += carried[8];
}

__attribute__((noinline)) void field_add(Field *result, const Field *a, const Field *b) {
  for (int i = 0; i < LIMBS; i++) result->limb[i] = a->limb[i] + b->limb[i];
  fold(result);
}

__attribute__((noinline)) void field_subtract(Field *result, const Field *a, const Field *b) {
  for (int i = 0; i < LIMBS; i++) result->limb[i] = a->limb[i] - b->limb[i];
  fold(result);
}

/*
 * Montgomery's product, column by column from the lowest. Each of the first nine columns is cleared by a multiple m * p; since
 * p = -1 modulo 2^29, m is the column itself, and since p is five powers of two, the multiple is five shifts. The columns above
 * are the product divided by R. A column stays below 2^62.
 */
static inline __attribute__((always_inline)) void montgomery(Field *result, const int64_t product[2 * LIMBS - 1]) {
  int64_t m[LIMBS];
  int64_t carry = 0;
#pragma unroll
  for (int i = 0; i < 2 * LIMBS - 1; i++) {
    carry += product[i];
    if (i >= 2 && i - 2 < LIMBS) carry += m[i - 2] << 6;
    if (i >= 3 && i - 3 < LIMBS) carry -= m[i - 3] << 9;
    if (i >= 7 && i - 7 < LIMBS) carry -= m[i - 7] << 21;
    if (i >= 8 && i - 8 < LIMBS) carry += m[i - 8] << 24;
    if (i < LIMBS) m[i] = carry & LIMB_MASK;
    else result->limb[i - LIMBS] = (int32_t)(carry & LIMB_MASK);
    carry >>= LIMB_BITS;
  }
  result->limb[LIMBS - 1] = (int32_t)carry;
}

__attribute__((noinline)) void field_multiply(Field *result, const Field *a, const Field *b) {
  int64_t product[2 * LIMBS - 1];
#pragma unroll
  for (int i = 0; i < 2 * LIMBS - 1; i++) {
    product[i] = 0;
#pragma unroll
    for (int j = i < LIMBS ? 0 : i - LIMBS + 1; j <= i && j < LIMBS; j++) {
      product[i] += (int64_t)a->limb[j] * b->limb[i - j];
    }
  }
  montgomery(result, product);
}

__attribute__((noinline)) void field_square(Field *result, const Field *a) {
  int64_t product[2 * LIMBS - 1];
#pragma unroll
  for (int i = 0; i < 2 * LIMBS - 1; i++) {
    product[i] = 0;
#pragma unroll
    for (int j = i < LIMBS ? 0 : i - LIMBS + 1; 2 * j < i; j++) product[i] += (int64_t)a->limb[j] * a->limb[i - j];
    product[i] *= 2;
    if (i % 2 == 0) product[i] += (int64_t)a->limb[i / 2] * a->limb[i / 2];
  }
  montgomery(result, product);
}

void field_invert(Field *result, const Field *a) {
  number_raise(result, a, &FIELD_ONE, PRIME_LESS_TWO, field_multiply);
}

/* The value is above -p and below 2p; with p added it is positive, and two subtractions bring it home. */
static void field_normalise(Number *a) {
  for (int i = 0; i < LIMBS; i++) a->limb[i] += FIELD_PRIME.limb[i];
  number_carry(a);
  number_reduce_once(a, &FIELD_PRIME);
  number_reduce_once(a, &FIELD_PRIME);
}

Mask field_is_zero(const Field *a) {
  Number normal = *a;
  field_normalise(&normal);
  return number_is_zero(&normal);
}

Mask field_is_equal(const Field *a, const Field *b) {
  Field difference;
  field_subtract(&difference, a, b);
  return field_is_zero(&difference);
}

void field_enter(Field *result, const Number *a) {
  field_multiply(result, a, &R_SQUARED);
}

void field_leave(Number *result, const Field *a) {
  const Number one = {{1}};
  field_multiply(result, a, &one);
  field_normalise(result);
}

void field_start(void) {
  Field power = {{1}};
  for (int bit = 0; bit < LIMBS * LIMB_BITS; bit++) field_add(&power, &power, &power);
  FIELD_ONE = power;
  for (int bit = 0; bit < LIMBS * LIMB_BITS; bit++) field_add(&power, &power, &power);
  R_SQUARED = power;
}
