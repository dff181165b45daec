/*
 * The field of the curve: numbers modulo p = 2^256 - 2^224 - 2^96 + 2^64 - 1 (GB/T 32918.5), in Montgomery form, R = 2^261.
 *
 * Values between operations are in (-2^252, 2^256 + 2^252), in limbs from -2 to 2^29 + 1; the one in [0, p) is made only where it
 * is compared or leaves. With such factors a product is below 2^513, so after division by R it is below p + 2^252; and a column
 * of nine products is below 2^62. So the bounds hold for ever.
 */
#ifndef FIELD_H
#define FIELD_H

#include "number.h"

typedef Number Field;

extern const Number FIELD_PRIME;

/* Computed by `field_start`, which comes before everything else. */
extern Field FIELD_ONE;
void field_start(void);

void field_add(Field *result, const Field *a, const Field *b);
void field_subtract(Field *result, const Field *a, const Field *b);
void field_multiply(Field *result, const Field *a, const Field *b);
void field_square(Field *result, const Field *a);

/* 1/a; 0 for 0. */
void field_invert(Field *result, const Field *a);

Mask field_is_zero(const Field *a);
Mask field_is_equal(const Field *a, const Field *b);

/* Between Montgomery form and a number in [0, p). */
void field_enter(Field *result, const Number *a);
void field_leave(Number *result, const Field *a);

#endif
