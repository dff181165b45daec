#include "combine.h"

/* x = X / Z^2, y = Y / Z^3 (Jacobian): doublings take eight multiplications and not thirteen. */
typedef struct {
  Field x, y, z;
  int infinite;
} Sum;

/* "dbl-2001-b" of the Explicit-Formulas Database. */
static void double_sum(Sum *p) {
  if (p->infinite) return;
  Field alpha, beta, gamma, delta, t;
  field_square(&delta, &p->z);
  field_square(&gamma, &p->y);
  field_multiply(&beta, &p->x, &gamma);
  field_subtract(&alpha, &p->x, &delta);
  field_add(&t, &p->x, &delta);
  field_multiply(&t, &alpha, &t);
  field_add(&alpha, &t, &t);
  field_add(&alpha, &alpha, &t);
  field_add(&beta, &beta, &beta);
  field_add(&beta, &beta, &beta);
  field_add(&t, &p->y, &p->z);
  field_square(&t, &t);
  field_subtract(&t, &t, &gamma);
  field_subtract(&p->z, &t, &delta);
  field_square(&t, &alpha);
  field_subtract(&t, &t, &beta);
  field_subtract(&p->x, &t, &beta);
  field_subtract(&beta, &beta, &p->x);
  field_multiply(&t, &alpha, &beta);
  field_square(&gamma, &gamma);
  field_add(&gamma, &gamma, &gamma);
  field_add(&gamma, &gamma, &gamma);
  field_add(&gamma, &gamma, &gamma);
  field_subtract(&p->y, &t, &gamma);
}

/* p + q, or p - q for a negative digit. */
static void add_multiple(Sum *p, const Affine *q, Mask negative) {
  const Number zero = {{0}};
  Field y, zz, u, s, h, r, hh, hhh, v, t;
  if (negative) field_subtract(&y, &zero, &q->y);
  else y = q->y;
  if (p->infinite) {
    *p = (Sum){q->x, y, FIELD_ONE, 0};
    return;
  }
  field_square(&zz, &p->z);
  field_multiply(&u, &q->x, &zz);
  field_multiply(&s, &p->z, &zz);
  field_multiply(&s, &s, &y);
  field_subtract(&h, &u, &p->x);
  field_subtract(&r, &s, &p->y);
  if (field_is_zero(&h)) {
    if (field_is_zero(&r)) double_sum(p);
    else p->infinite = 1;
    return;
  }
  field_square(&hh, &h);
  field_multiply(&hhh, &hh, &h);
  field_multiply(&v, &p->x, &hh);
  field_square(&t, &r);
  field_subtract(&t, &t, &hhh);
  field_subtract(&t, &t, &v);
  field_subtract(&p->x, &t, &v);
  field_subtract(&v, &v, &p->x);
  field_multiply(&v, &v, &r);
  field_multiply(&t, &p->y, &hhh);
  field_subtract(&p->y, &v, &t);
  field_multiply(&p->z, &p->z, &h);
}

int combine(Number *x, const Scalar *s, const Scalar *t, const Affine *a) {
  Digit digits[DIGITS];
  Point projective[MULTIPLES];
  Affine multiples[MULTIPLES];
  point_multiples(projective, a);
  point_normalise(multiples, projective, MULTIPLES);

  Sum sum = {.infinite = 1};
  point_digits(digits, t);
  for (int i = DIGITS - 1; i >= 0; i--) {
    for (int bit = 0; bit < DIGIT_BITS; bit++) double_sum(&sum);
    if (digits[i].size > 0) add_multiple(&sum, &multiples[digits[i].size - 1], digits[i].negative);
  }
  point_digits(digits, s);
  for (int i = 0; i < DIGITS; i++) {
    if (digits[i].size > 0) add_multiple(&sum, &BASE_TABLE[i][digits[i].size - 1], digits[i].negative);
  }
  if (sum.infinite) return 0;

  Field inverse;
  field_square(&inverse, &sum.z);
  field_invert(&inverse, &inverse);
  field_multiply(&inverse, &inverse, &sum.x);
  field_leave(x, &inverse);
  return 1;
}
