/*
 * s * G + t * A for the one who verifies. FOR PUBLIC NUMBERS ONLY: branches and indexes follow the values, which makes it twice
 * as fast as `point_multiply`.
 */
#ifndef COMBINE_H
#define COMBINE_H

#include "point.h"

/* The coordinate x of the sum, in [0, p). 0 when the sum is infinity. */
int combine(Number *x, const Scalar *s, const Scalar *t, const Affine *a);

#endif
