#include "order.h"

const Number ORDER = {
    {0x19d54123, 0x1ddfa049, 0x11814ad4, 0x07bed643, 0x1ffff720, 0x1fffffff, 0x1fffffff, 0x1fdfffff, 0x00ffffff}};

/* -1/n modulo 2^29 */
enum { MINUS_INVERSE = 0x12350975 };

static Scalar R, R_SQUARED;

static const uint8_t ORDER_LESS_TWO[NUMBER_BYTES] = {
    0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x72, 0x03, 0xdf, 0x6b, 0x21, 0xc6, 0x05, 0x2b, 0x53, 0xbb, 0xf4, 0x09, 0x39, 0xd5, 0x41, 0x21};

void order_add(Scalar *result, const Scalar *a, const Scalar *b) {
  for (int i = 0; i < LIMBS; i++) result->limb[i] = a->limb[i] + b->limb[i];
  number_carry(result);
  number_reduce_once(result, &ORDER);
}

void order_subtract(Scalar *result, const Scalar *a, const Scalar *b) {
  Number difference, lifted;
  for (int i = 0; i < LIMBS; i++) {
    difference.limb[i] = a->limb[i] - b->limb[i];
    lifted.limb[i] = difference.limb[i] + ORDER.limb[i];
  }
  number_carry(&difference);
  number_carry(&lifted);
  number_select(result, mask_if_negative(difference.limb[LIMBS - 1]), &lifted, &difference);
}

/* a * b / R: as in the field, with the multiples of n written out. Below n + 2^252 before the last step. */
static void multiply_by_montgomery(Scalar *result, const Scalar *a, const Scalar *b) {
  int64_t column[2 * LIMBS] = {0};
  for (int i = 0; i < LIMBS; i++) {
    for (int j = 0; j < LIMBS; j++) column[i + j] += (int64_t)a->limb[i] * b->limb[j];
  }
  for (int i = 0; i < LIMBS; i++) {
    const uint32_t m = ((uint32_t)column[i] * (uint32_t)MINUS_INVERSE) & LIMB_MASK;
    for (int j = 0; j < LIMBS; j++) column[i + j] += (int64_t)m * ORDER.limb[j];
    column[i + 1] += column[i] >> LIMB_BITS;
  }
  for (int i = LIMBS; i < 2 * LIMBS - 1; i++) {
    column[i + 1] += column[i] >> LIMB_BITS;
    result->limb[i - LIMBS] = (int32_t)(column[i] & LIMB_MASK);
  }
  result->limb[LIMBS - 1] = (int32_t)column[2 * LIMBS - 1];
  number_reduce_once(result, &ORDER);
}

void order_multiply(Scalar *result, const Scalar *a, const Scalar *b) {
  Scalar entered;
  multiply_by_montgomery(&entered, a, &R_SQUARED);
  multiply_by_montgomery(result, &entered, b);
  wipe(&entered, sizeof entered);
}

void order_invert(Scalar *result, const Scalar *a) {
  const Number one = {{1}};
  Scalar entered;
  multiply_by_montgomery(&entered, a, &R_SQUARED);
  number_raise(&entered, &entered, &R, ORDER_LESS_TWO, multiply_by_montgomery);
  multiply_by_montgomery(result, &entered, &one);
  wipe(&entered, sizeof entered);
}

void order_reduce(Scalar *result, const Number *a) {
  *result = *a;
  number_reduce_once(result, &ORDER);
}

Mask order_holds(const Number *a) {
  return ~number_is_zero(a) & number_is_below(a, &ORDER);
}

void order_start(void) {
  Scalar power = {{1}};
  for (int bit = 0; bit < LIMBS * LIMB_BITS; bit++) order_add(&power, &power, &power);
  R = power;
  for (int bit = 0; bit < LIMBS * LIMB_BITS; bit++) order_add(&power, &power, &power);
  R_SQUARED = power;
}
