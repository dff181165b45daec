/*
 * SM2 (GB/T 32918.2 and 32918.4) for WebAssembly: what the host calls. Values come and go in one window of memory, as numbers
 * of 32 bytes, most significant first; a call that finds them out of range gives 0 and no result.
 *
 * Everything that touches a private key or a nonce takes one time. A nonce is prepared before it is needed, waits in this
 * memory, serves one signature or one ciphertext, and is zero afterwards.
 */
#include "combine.h"
#include "point.h"

#define HOST(name) __attribute__((export_name(name)))

enum { NONCES_MAX = 256, WINDOW_BYTES = POINTS_AT_ONCE * NUMBER_BYTES, DEEPEST_STACK = 8192 };

/* k, and k * G as bytes. */
typedef struct {
  Scalar k;
  uint8_t point[POINT_BYTES];
} Nonce;

static uint8_t WINDOW[WINDOW_BYTES];
static Nonce NONCES[NONCES_MAX];
static int nonces_held;

/* Zeroes the part of the stack that calls have left secrets in. */
static __attribute__((noinline)) void wipe_stack(void) {
  uint32_t deep[DEEPEST_STACK / 4];
  wipe(deep, sizeof deep);
}

HOST("start") void start(void) {
  field_start();
  order_start();
  point_start();
}

HOST("window") uint8_t *window(void) {
  return WINDOW;
}

HOST("window_wipe") void window_wipe(void) {
  wipe(WINDOW, sizeof WINDOW);
}

HOST("nonces") int nonces(void) {
  return nonces_held;
}

HOST("nonces_wipe") void nonces_wipe(void) {
  wipe(NONCES, sizeof NONCES);
  nonces_held = 0;
}

static void prepare(Nonce *nonce, const Scalar *k) {
  Point point;
  Affine affine;
  nonce->k = *k;
  point_multiply_base(&point, k);
  point_normalise(&affine, &point, 1);
  point_write(nonce->point, &affine);
  wipe(&point, sizeof point);
}

/*
 * Takes `count` random numbers from the window into the supply; nothing when there is no room for so many. One outside 1 to
 * n - 1, which happens once in 2^32 times, is left out: that one is used nowhere, so it may be told from the others.
 */
HOST("nonces_add") void nonces_add(int count) {
  if (count < 1 || count > POINTS_AT_ONCE || count > NONCES_MAX - nonces_held) return;
  Scalar ks[POINTS_AT_ONCE];
  Point points[POINTS_AT_ONCE];
  Affine affines[POINTS_AT_ONCE];
  int good = 0;
  for (int i = 0; i < count; i++) {
    number_read(&ks[good], WINDOW + i * NUMBER_BYTES);
    if (order_holds(&ks[good])) good++;
  }
  for (int i = 0; i < good; i++) point_multiply_base(&points[i], &ks[i]);
  if (good > 0) point_normalise(affines, points, good);
  for (int i = 0; i < good; i++) {
    NONCES[nonces_held].k = ks[i];
    point_write(NONCES[nonces_held].point, &affines[i]);
    nonces_held++;
  }
  wipe(ks, sizeof ks);
  wipe(points, sizeof points);
  window_wipe();
  wipe_stack();
}

/* Moves the newest nonce out of the supply. The place it had is zero. */
static int nonce_take(Nonce *nonce) {
  if (nonces_held == 0) return 0;
  nonces_held--;
  *nonce = NONCES[nonces_held];
  wipe(&NONCES[nonces_held], sizeof(Nonce));
  return 1;
}

/* The nonce that stands in the window at `place`. Only known answers are computed with one. */
static int nonce_read(Nonce *nonce, int place) {
  Scalar k;
  number_read(&k, WINDOW + place);
  if (!order_holds(&k)) return 0;
  prepare(nonce, &k);
  wipe(&k, sizeof k);
  return 1;
}

/* d -> X || Y, for d from 1 to n - 2. */
HOST("public_key") int public_key(void) {
  const Number one = {{1}};
  Scalar d, next;
  Nonce pair;
  number_read(&d, WINDOW);
  order_reduce(&next, &d);
  order_add(&next, &next, &one);
  const Mask valid = order_holds(&d) & ~number_is_zero(&next);
  window_wipe();
  if (valid) {
    prepare(&pair, &d);
    for (int i = 0; i < POINT_BYTES; i++) WINDOW[i] = pair.point[i];
  }
  wipe(&d, sizeof d);
  wipe(&next, sizeof next);
  wipe(&pair, sizeof pair);
  wipe_stack();
  return valid != 0;
}

/* d -> 1 / (1 + d) modulo n, which is what signatures need of the private key. */
HOST("signing_factor") void signing_factor(void) {
  const Number one = {{1}};
  Scalar d;
  number_read(&d, WINDOW);
  order_reduce(&d, &d);
  order_add(&d, &d, &one);
  order_invert(&d, &d);
  window_wipe();
  number_write(WINDOW, &d);
  wipe(&d, sizeof d);
  wipe_stack();
}

/*
 * e || factor -> r || s. With factor = 1 / (1 + d), the s of the standard, factor * (k - r * d), is factor * (k + r) - r.
 * 0 when this nonce gives no signature: r = 0, r + k = n or s = 0. The nonce is used up either way.
 */
static int sign(const Nonce *nonce) {
  Scalar e, factor, x, r, s, sum;
  number_read(&e, WINDOW);
  order_reduce(&e, &e);
  number_read(&factor, WINDOW + NUMBER_BYTES);
  number_read(&x, nonce->point);
  order_reduce(&x, &x);
  order_add(&r, &e, &x);
  order_add(&sum, &nonce->k, &r);
  order_multiply(&s, &factor, &sum);
  order_subtract(&s, &s, &r);
  const Mask useless = number_is_zero(&r) | number_is_zero(&sum) | number_is_zero(&s);
  window_wipe();
  if (!useless) {
    number_write(WINDOW, &r);
    number_write(WINDOW + NUMBER_BYTES, &s);
  }
  wipe(&factor, sizeof factor);
  wipe(&sum, sizeof sum);
  return useless == 0;
}

/* 1 signed, 0 another nonce is needed, -1 there is none. */
HOST("sign") int sign_next(void) {
  Nonce nonce;
  if (!nonce_take(&nonce)) return -1;
  const int signature = sign(&nonce);
  wipe(&nonce, sizeof nonce);
  wipe_stack();
  return signature;
}

/* e || factor || k -> r || s. */
HOST("known_answer_sign") int known_answer_sign(void) {
  Nonce nonce;
  if (!nonce_read(&nonce, 2 * NUMBER_BYTES)) return 0;
  const int signature = sign(&nonce);
  wipe(&nonce, sizeof nonce);
  wipe_stack();
  return signature;
}

/* e || r || s || X || Y -> whether r || s is a signature over e by this key. Nothing here is secret. */
HOST("verify") int verify(void) {
  Scalar e, r, s, t, x;
  Affine key;
  number_read(&e, WINDOW);
  number_read(&r, WINDOW + NUMBER_BYTES);
  number_read(&s, WINDOW + 2 * NUMBER_BYTES);
  if (!order_holds(&r) || !order_holds(&s) || !point_read(&key, WINDOW + 3 * NUMBER_BYTES)) return 0;
  order_add(&t, &r, &s);
  if (number_is_zero(&t)) return 0;

  if (!combine(&x, &s, &t, &key)) return 0;
  order_reduce(&x, &x);
  order_reduce(&e, &e);
  order_add(&x, &x, &e);
  order_subtract(&x, &x, &r);
  return number_is_zero(&x) != 0;
}

/* factor * a as bytes at the beginning of the window. */
static void write_multiple(const Scalar *factor, const Affine *a) {
  Point point;
  Affine affine;
  point_multiply(&point, factor, a);
  point_normalise(&affine, &point, 1);
  point_write(WINDOW, &affine);
  wipe(&point, sizeof point);
  wipe(&affine, sizeof affine);
}

/* X || Y -> whether it is a point of the curve. */
HOST("is_point") int is_point(void) {
  Affine point;
  return point_read(&point, WINDOW) != 0;
}

/* d || X || Y -> d * (X, Y), for the one who decrypts. */
HOST("multiply") int multiply(void) {
  Scalar d;
  Affine point;
  number_read(&d, WINDOW);
  const Mask valid = order_holds(&d) & point_read(&point, WINDOW + NUMBER_BYTES);
  window_wipe();
  if (valid) write_multiple(&d, &point);
  wipe(&d, sizeof d);
  wipe_stack();
  return valid != 0;
}

/* X || Y -> k * (X, Y) || k * G, for the one who encrypts. */
static int share(const Nonce *nonce) {
  Affine key;
  const Mask valid = point_read(&key, WINDOW);
  window_wipe();
  if (valid) {
    write_multiple(&nonce->k, &key);
    for (int i = 0; i < POINT_BYTES; i++) WINDOW[POINT_BYTES + i] = nonce->point[i];
  }
  return valid != 0;
}

/* 1 done, 0 no point of the curve, -1 there is no nonce. */
HOST("share") int share_next(void) {
  Nonce nonce;
  if (!nonce_take(&nonce)) return -1;
  const int shared = share(&nonce);
  wipe(&nonce, sizeof nonce);
  wipe_stack();
  return shared;
}

/* X || Y || k -> k * (X, Y) || k * G. */
HOST("known_answer_share") int known_answer_share(void) {
  Nonce nonce;
  if (!nonce_read(&nonce, POINT_BYTES)) return 0;
  const int shared = share(&nonce);
  wipe(&nonce, sizeof nonce);
  wipe_stack();
  return shared;
}
