/*
 * Scalars: numbers modulo the order n of the base point (GB/T 32918.5). Between operations they are in [0, n) and not in
 * Montgomery form; `order_multiply` goes there and back.
 */
#ifndef ORDER_H
#define ORDER_H

#include "number.h"

typedef Number Scalar;

extern const Number ORDER;

void order_start(void);

void order_add(Scalar *result, const Scalar *a, const Scalar *b);
void order_subtract(Scalar *result, const Scalar *a, const Scalar *b);
void order_multiply(Scalar *result, const Scalar *a, const Scalar *b);

/* 1/a; 0 for 0. By exponentiation, so that the time tells nothing of a. */
void order_invert(Scalar *result, const Scalar *a);

/* Any number of 256 bits modulo n, which is above 2^255. */
void order_reduce(Scalar *result, const Number *a);

/* Whether a is from 1 to n - 1. */
Mask order_holds(const Number *a);

#endif
