import { SM2_FIELD as FIELD, isOnSm2Curve, SM2_ORDER, wholeNumber } from '../signer.ts';

/*
 * The curve of GB/T 32918.5 in BigInt: slow, and in a time that follows the numbers. It serves where WebAssembly is not to be
 * had, and as the plain reading of the standard that the fast one is compared with.
 */

/** X / Z^2, Y / Z^3; infinity has Z = 0. */
export interface BigPoint {
  readonly x: bigint;
  readonly y: bigint;
  readonly z: bigint;
}

export const BASE: BigPoint = {
  x: 0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n,
  y: 0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n,
  z: 1n,
};
const INFINITY: BigPoint = { x: 1n, y: 1n, z: 0n };

/** The remainder from 0 to modulus - 1, of negative numbers too. */
export function modulo(value: bigint, modulus: bigint): bigint {
  const remainder = value % modulus;
  return remainder < 0n ? remainder + modulus : remainder;
}

/** 1 / value, by Euclid. The value must have no factor in common with the modulus. */
export function inverse(value: bigint, modulus: bigint): bigint {
  let [low, high] = [modulo(value, modulus), modulus];
  let [ofLow, ofHigh] = [1n, 0n];
  while (low > 1n) {
    const times = high / low;
    [low, high] = [high - times * low, low];
    [ofLow, ofHigh] = [ofHigh - times * ofLow, ofLow];
  }
  return modulo(ofLow, modulus);
}

export const numberBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

/** The point of X || Y, undefined unless both are below p and on the curve. */
export function readPoint(bytes: Uint8Array): BigPoint | undefined {
  const [x, y] = [wholeNumber(bytes.subarray(0, 32)), wholeNumber(bytes.subarray(32))];
  return isOnSm2Curve(x, y) ? { x, y, z: 1n } : undefined;
}

/** X || Y, undefined for infinity. */
export function writePoint({ x, y, z }: BigPoint): Buffer | undefined {
  if (z === 0n) return undefined;
  const own = inverse(z, FIELD);
  const square = (own * own) % FIELD;
  return Buffer.concat([numberBytes((x * square) % FIELD), numberBytes((((y * square) % FIELD) * own) % FIELD)]);
}

function double({ x, y, z }: BigPoint): BigPoint {
  if (z === 0n) return INFINITY;
  const yy = (y * y) % FIELD;
  const s = (4n * x * yy) % FIELD;
  const zz = (z * z) % FIELD;
  const m = (3n * (x - zz) * (x + zz)) % FIELD;
  const doubledX = modulo(m * m - 2n * s, FIELD);
  return { x: doubledX, y: modulo(m * (s - doubledX) - 8n * yy * yy, FIELD), z: (2n * y * z) % FIELD };
}

export function addPoints(p: BigPoint, q: BigPoint): BigPoint {
  if (p.z === 0n) return q;
  if (q.z === 0n) return p;
  const [pzz, qzz] = [(p.z * p.z) % FIELD, (q.z * q.z) % FIELD];
  const [u, v] = [(p.x * qzz) % FIELD, (q.x * pzz) % FIELD];
  const [s, t] = [(((p.y * qzz) % FIELD) * q.z) % FIELD, (((q.y * pzz) % FIELD) * p.z) % FIELD];
  if (u === v) return s === t ? double(p) : INFINITY;
  const h = modulo(v - u, FIELD);
  const r = modulo(t - s, FIELD);
  const hh = (h * h) % FIELD;
  const hhh = (h * hh) % FIELD;
  const w = (u * hh) % FIELD;
  const x = modulo(r * r - hhh - 2n * w, FIELD);
  return { x, y: modulo(r * (w - x) - s * hhh, FIELD), z: (((h * p.z) % FIELD) * q.z) % FIELD };
}

/** factor * point, for a factor from 0 to n - 1. The time tells of the factor. */
export function multiplyPoint(factor: bigint, point: BigPoint): BigPoint {
  let product = INFINITY;
  for (let bit = SM2_ORDER.toString(2).length - 1; bit >= 0; bit -= 1) {
    product = double(product);
    if ((factor >> BigInt(bit)) & 1n) product = addPoints(product, point);
  }
  return product;
}
