/*
 * Points of the curve y^2 = x^3 - 3x + b (GB/T 32918.5), and their multiples in a time that does not depend on the factor.
 *
 * Additions use the complete formulas of Renes, Costello and Batina (IACR ePrint 2015/1060, algorithms 4 to 6): one and the
 * same sequence of multiplications for every pair of points, be they equal, opposite or infinity. The curve has prime order,
 * which is all these formulas ask for. So there is no exceptional case that a chosen input could reach.
 */
#ifndef POINT_H
#define POINT_H

#include "field.h"
#include "order.h"

enum { POINT_BYTES = 64 };

/* Never infinity. */
typedef struct {
  Field x, y;
} Affine;

/* x = X / Z, y = Y / Z; infinity has Z = 0. */
typedef struct {
  Field x, y, z;
} Point;

/* Factors are taken apart into digits from -15 to 16, each five bits above the one before. */
enum { DIGIT_BITS = 5, DIGITS = 52, MULTIPLES = 1 << (DIGIT_BITS - 1) };

typedef struct {
  uint32_t size;
  Mask negative;
} Digit;

void point_digits(Digit digits[DIGITS], const Scalar *factor);

/* Row i holds 1 to 16 times 2^(5i) * G; filled by `point_start`. */
extern Affine BASE_TABLE[DIGITS][MULTIPLES];
void point_start(void);

/* X || Y, both below p and on the curve; anything else is refused. Infinity has no such form. */
Mask point_read(Affine *result, const uint8_t bytes[POINT_BYTES]);
void point_write(uint8_t bytes[POINT_BYTES], const Affine *a);

/* The multiples 1 to 16 of a. */
void point_multiples(Point multiples[MULTIPLES], const Affine *a);

/* factor * G and factor * a, for a factor in [0, n). */
void point_multiply_base(Point *result, const Scalar *factor);
void point_multiply(Point *result, const Scalar *factor, const Affine *a);

/* Divides `count` points by their Z with one inversion; at most POINTS_AT_ONCE. None of them may be infinity. */
enum { POINTS_AT_ONCE = 16 };
void point_normalise(Affine result[], const Point points[], int count);

#endif
