#include "point.h"

static const Number B_NUMBER = {
    {0x0d940e93, 0x0de5ea0a, 0x0ae3e4b7, 0x0f13ea2b, 0x109a7f39, 0x0f25e7b2, 0x18d1356a, 0x13d3b3eb, 0x0028e9fa}};
static const Number BASE_X = {
    {0x134c74c7, 0x0ad22c49, 0x1982f85c, 0x06177fe4, 0x1c9948fe, 0x0223351c, 0x04657e64, 0x0583e330, 0x0032c4ae}};
static const Number BASE_Y = {
    {0x0139f0a0, 0x16f99729, 0x0a91d000, 0x130ef98c, 0x12153d0a, 0x0771b5b4, 0x1e7166f7, 0x145e9ece, 0x00bc3736}};

static Field B;

Affine BASE_TABLE[DIGITS][MULTIPLES];

/* Algorithm 4. */
static void add(Point *result, const Point *p, const Point *q) {
  Field t0, t1, t2, t3, t4, x3, y3, z3;
  field_multiply(&t0, &p->x, &q->x);
  field_multiply(&t1, &p->y, &q->y);
  field_multiply(&t2, &p->z, &q->z);
  field_add(&t3, &p->x, &p->y);
  field_add(&t4, &q->x, &q->y);
  field_multiply(&t3, &t3, &t4);
  field_add(&t4, &t0, &t1);
  field_subtract(&t3, &t3, &t4);
  field_add(&t4, &p->y, &p->z);
  field_add(&x3, &q->y, &q->z);
  field_multiply(&t4, &t4, &x3);
  field_add(&x3, &t1, &t2);
  field_subtract(&t4, &t4, &x3);
  field_add(&x3, &p->x, &p->z);
  field_add(&y3, &q->x, &q->z);
  field_multiply(&x3, &x3, &y3);
  field_add(&y3, &t0, &t2);
  field_subtract(&y3, &x3, &y3);
  field_multiply(&z3, &B, &t2);
  field_subtract(&x3, &y3, &z3);
  field_add(&z3, &x3, &x3);
  field_add(&x3, &x3, &z3);
  field_subtract(&z3, &t1, &x3);
  field_add(&x3, &t1, &x3);
  field_multiply(&y3, &B, &y3);
  field_add(&t1, &t2, &t2);
  field_add(&t2, &t1, &t2);
  field_subtract(&y3, &y3, &t2);
  field_subtract(&y3, &y3, &t0);
  field_add(&t1, &y3, &y3);
  field_add(&y3, &t1, &y3);
  field_add(&t1, &t0, &t0);
  field_add(&t0, &t1, &t0);
  field_subtract(&t0, &t0, &t2);
  field_multiply(&t1, &t4, &y3);
  field_multiply(&t2, &t0, &y3);
  field_multiply(&y3, &x3, &z3);
  field_add(&result->y, &y3, &t2);
  field_multiply(&x3, &t3, &x3);
  field_subtract(&result->x, &x3, &t1);
  field_multiply(&z3, &t4, &z3);
  field_multiply(&t1, &t3, &t0);
  field_add(&result->z, &z3, &t1);
}

/* Algorithm 5: the second point has Z = 1. */
static void add_affine(Point *result, const Point *p, const Affine *q) {
  Field t0, t1, t2, t3, t4, x3, y3, z3;
  field_multiply(&t0, &p->x, &q->x);
  field_multiply(&t1, &p->y, &q->y);
  field_add(&t3, &q->x, &q->y);
  field_add(&t4, &p->x, &p->y);
  field_multiply(&t3, &t3, &t4);
  field_add(&t4, &t0, &t1);
  field_subtract(&t3, &t3, &t4);
  field_multiply(&t4, &q->y, &p->z);
  field_add(&t4, &t4, &p->y);
  field_multiply(&y3, &q->x, &p->z);
  field_add(&y3, &y3, &p->x);
  field_multiply(&z3, &B, &p->z);
  field_subtract(&x3, &y3, &z3);
  field_add(&z3, &x3, &x3);
  field_add(&x3, &x3, &z3);
  field_subtract(&z3, &t1, &x3);
  field_add(&x3, &t1, &x3);
  field_multiply(&y3, &B, &y3);
  field_add(&t1, &p->z, &p->z);
  field_add(&t2, &t1, &p->z);
  field_subtract(&y3, &y3, &t2);
  field_subtract(&y3, &y3, &t0);
  field_add(&t1, &y3, &y3);
  field_add(&y3, &t1, &y3);
  field_add(&t1, &t0, &t0);
  field_add(&t0, &t1, &t0);
  field_subtract(&t0, &t0, &t2);
  field_multiply(&t1, &t4, &y3);
  field_multiply(&t2, &t0, &y3);
  field_multiply(&y3, &x3, &z3);
  field_add(&result->y, &y3, &t2);
  field_multiply(&x3, &t3, &x3);
  field_subtract(&result->x, &x3, &t1);
  field_multiply(&z3, &t4, &z3);
  field_multiply(&t1, &t3, &t0);
  field_add(&result->z, &z3, &t1);
}

/* Algorithm 6. */
static void double_point(Point *result, const Point *p) {
  Field t0, t1, t2, t3, x3, y3, z3;
  field_square(&t0, &p->x);
  field_square(&t1, &p->y);
  field_square(&t2, &p->z);
  field_multiply(&t3, &p->x, &p->y);
  field_add(&t3, &t3, &t3);
  field_multiply(&z3, &p->x, &p->z);
  field_add(&z3, &z3, &z3);
  field_multiply(&y3, &B, &t2);
  field_subtract(&y3, &y3, &z3);
  field_add(&x3, &y3, &y3);
  field_add(&y3, &x3, &y3);
  field_subtract(&x3, &t1, &y3);
  field_add(&y3, &t1, &y3);
  field_multiply(&y3, &x3, &y3);
  field_multiply(&x3, &x3, &t3);
  field_add(&t3, &t2, &t2);
  field_add(&t2, &t2, &t3);
  field_multiply(&z3, &B, &z3);
  field_subtract(&z3, &z3, &t2);
  field_subtract(&z3, &z3, &t0);
  field_add(&t3, &z3, &z3);
  field_add(&z3, &z3, &t3);
  field_add(&t3, &t0, &t0);
  field_add(&t0, &t3, &t0);
  field_subtract(&t0, &t0, &t2);
  field_multiply(&t0, &t0, &z3);
  field_add(&y3, &y3, &t0);
  field_multiply(&t0, &p->y, &p->z);
  field_add(&t0, &t0, &t0);
  field_multiply(&z3, &t0, &z3);
  field_subtract(&result->x, &x3, &z3);
  field_multiply(&z3, &t0, &t1);
  field_add(&z3, &z3, &z3);
  field_add(&result->z, &z3, &z3);
  result->y = y3;
}

static void infinity(Point *result) {
  const Number zero = {{0}};
  result->x = zero;
  result->y = FIELD_ONE;
  result->z = zero;
}

static void lift(Point *result, const Affine *a) {
  result->x = a->x;
  result->y = a->y;
  result->z = FIELD_ONE;
}

static void select_point(Point *result, Mask mask, const Point *if_set, const Point *if_clear) {
  number_select(&result->x, mask, &if_set->x, &if_clear->x);
  number_select(&result->y, mask, &if_set->y, &if_clear->y);
  number_select(&result->z, mask, &if_set->z, &if_clear->z);
}

static void negate_if(Mask mask, Field *y) {
  const Number zero = {{0}};
  Field negative;
  field_subtract(&negative, &zero, y);
  number_select(y, mask, &negative, y);
}

void point_multiples(Point multiples[MULTIPLES], const Affine *a) {
  lift(&multiples[0], a);
  for (int i = 1; i < MULTIPLES; i++) add_affine(&multiples[i], &multiples[i - 1], a);
}

/* Digits from 17 to 32 become 32 less, and one is carried on. The last digit has one bit of the factor, and carries nothing. */
void point_digits(Digit digits[DIGITS], const Scalar *factor) {
  uint32_t carry = 0;
  for (int i = 0; i < DIGITS; i++) {
    const int limb = i * DIGIT_BITS / LIMB_BITS;
    const int shift = i * DIGIT_BITS % LIMB_BITS;
    uint32_t bits = (uint32_t)factor->limb[limb] >> shift;
    if (shift > LIMB_BITS - DIGIT_BITS && limb + 1 < LIMBS) {
      bits |= (uint32_t)factor->limb[limb + 1] << (LIMB_BITS - shift);
    }
    const uint32_t value = (bits & (2 * MULTIPLES - 1)) + carry;
    carry = (value + MULTIPLES - 1) >> DIGIT_BITS;
    const int32_t digit = (int32_t)value - (int32_t)(carry << DIGIT_BITS);
    digits[i].negative = mask_if_negative(digit);
    digits[i].size = ((uint32_t)digit ^ digits[i].negative) - digits[i].negative;
  }
}

/* Reads every entry of the row and keeps one; nothing of use for a digit of zero, which the caller lets pass. */
static void pick_base_multiple(Affine *result, const Affine row[MULTIPLES], const Digit *digit) {
  const Number zero = {{0}};
  result->x = zero;
  result->y = zero;
  for (uint32_t i = 0; i < MULTIPLES; i++) {
    const Mask mask = mask_if_zero((i + 1) ^ digit->size);
    for (int j = 0; j < LIMBS; j++) {
      result->x.limb[j] |= row[i].x.limb[j] & (int32_t)mask;
      result->y.limb[j] |= row[i].y.limb[j] & (int32_t)mask;
    }
  }
  negate_if(digit->negative, &result->y);
}

static void pick_multiple(Point *result, const Point multiples[MULTIPLES], const Digit *digit) {
  infinity(result);
  for (uint32_t i = 0; i < MULTIPLES; i++) {
    select_point(result, mask_if_zero((i + 1) ^ digit->size), &multiples[i], result);
  }
  negate_if(digit->negative, &result->y);
}

void point_multiply_base(Point *result, const Scalar *factor) {
  Digit digits[DIGITS];
  Affine multiple;
  Point sum, next;
  point_digits(digits, factor);
  infinity(&sum);
  for (int i = 0; i < DIGITS; i++) {
    pick_base_multiple(&multiple, BASE_TABLE[i], &digits[i]);
    add_affine(&next, &sum, &multiple);
    select_point(&sum, mask_if_zero(digits[i].size), &sum, &next);
  }
  *result = sum;
  wipe(digits, sizeof digits);
}

void point_multiply(Point *result, const Scalar *factor, const Affine *a) {
  Digit digits[DIGITS];
  Point multiples[MULTIPLES];
  Point multiple, sum;
  point_digits(digits, factor);
  point_multiples(multiples, a);
  infinity(&sum);
  for (int i = DIGITS - 1; i >= 0; i--) {
    for (int bit = 0; bit < DIGIT_BITS; bit++) double_point(&sum, &sum);
    pick_multiple(&multiple, multiples, &digits[i]);
    add(&sum, &sum, &multiple);
  }
  *result = sum;
  wipe(digits, sizeof digits);
}

void point_normalise(Affine result[], const Point points[], int count) {
  Field products[POINTS_AT_ONCE];
  Field inverse, own;
  products[0] = points[0].z;
  for (int i = 1; i < count; i++) field_multiply(&products[i], &products[i - 1], &points[i].z);
  field_invert(&inverse, &products[count - 1]);
  for (int i = count - 1; i >= 0; i--) {
    if (i > 0) field_multiply(&own, &inverse, &products[i - 1]);
    else own = inverse;
    field_multiply(&inverse, &inverse, &points[i].z);
    field_multiply(&result[i].x, &points[i].x, &own);
    field_multiply(&result[i].y, &points[i].y, &own);
  }
}

Mask point_read(Affine *result, const uint8_t bytes[POINT_BYTES]) {
  Number x, y;
  number_read(&x, bytes);
  number_read(&y, bytes + NUMBER_BYTES);
  const Mask in_field = number_is_below(&x, &FIELD_PRIME) & number_is_below(&y, &FIELD_PRIME);
  field_enter(&result->x, &x);
  field_enter(&result->y, &y);

  Field left, right, triple;
  field_square(&left, &result->y);
  field_square(&right, &result->x);
  field_multiply(&right, &right, &result->x);
  field_add(&triple, &result->x, &result->x);
  field_add(&triple, &triple, &result->x);
  field_subtract(&right, &right, &triple);
  field_add(&right, &right, &B);
  return in_field & field_is_equal(&left, &right);
}

void point_write(uint8_t bytes[POINT_BYTES], const Affine *a) {
  Number number;
  field_leave(&number, &a->x);
  number_write(bytes, &number);
  field_leave(&number, &a->y);
  number_write(bytes + NUMBER_BYTES, &number);
}

void point_start(void) {
  field_enter(&B, &B_NUMBER);
  Affine base;
  field_enter(&base.x, &BASE_X);
  field_enter(&base.y, &BASE_Y);
  for (int i = 0; i < DIGITS; i++) {
    Point row[MULTIPLES];
    point_multiples(row, &base);
    point_normalise(BASE_TABLE[i], row, MULTIPLES);
    Point next;
    double_point(&next, &row[MULTIPLES - 1]);
    point_normalise(&base, &next, 1);
  }
}
