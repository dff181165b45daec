import { randomBytes, randomInt } from 'node:crypto';
import { SM2_FIELD, SM2_ORDER, wholeNumber } from '../../src/crypto/signer.ts';
import { derCiphertext, derSignature } from './sm2-forms.ts';
import { randomSm2Case, type Sm2Case } from './sm2-judges.ts';

/** A number as 32 bytes; what needs more bits is cut. */
const number = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0').slice(-64), 'hex');

const anyOf = <Item>(items: readonly Item[]): Item => items[randomInt(items.length)]!;

/** Zero, the order and what is past it. */
const outOfRange = (): Buffer =>
  anyOf([number(0n), number(SM2_ORDER), number(SM2_ORDER + BigInt(randomInt(1, 2 ** 40))), Buffer.alloc(32, 0xff)]);

const lengthened = (bytes: Uint8Array): Buffer =>
  anyOf([
    Buffer.concat([bytes, randomBytes(randomInt(1, 40))]),
    Buffer.concat([Buffer.of(0), bytes]),
    Buffer.from(bytes.subarray(0, randomInt(bytes.length))),
    Buffer.from(bytes.subarray(1)),
  ]);

const flipped = (bytes: Uint8Array): Buffer => {
  const copy = Buffer.from(bytes);
  copy[randomInt(copy.length)]! ^= 1 << randomInt(8);
  return copy;
};

/** Signatures that must not verify over the message of the case under its key. */
const SIGNATURES: readonly ((one: Sm2Case, r: Buffer, s: Buffer) => Buffer)[] = [
  (_, __, s) => Buffer.concat([outOfRange(), s]),
  (_, r) => Buffer.concat([r, outOfRange()]),
  (_, r) => Buffer.concat([r, number(SM2_ORDER - wholeNumber(r))]),
  (_, r, s) => Buffer.concat([r, number(SM2_ORDER - wholeNumber(s))]),
  (_, r, s) => Buffer.concat([number(wholeNumber(r) + SM2_ORDER), s]),
  (_, r, s) => Buffer.concat([s, r]),
  ({ signature }) => lengthened(signature),
  ({ signature }) => flipped(signature),
  ({ signature }) => derSignature(signature),
  ({ signature }) => Buffer.from(signature.toString('hex')),
  () => randomSm2Case().signature,
];

/** Points, 65 bytes or another number, that are none. */
const POINTS: readonly ((point: Buffer) => Buffer)[] = [
  () => Buffer.of(0),
  () => Buffer.concat([Buffer.of(4), Buffer.alloc(64)]),
  (point) => Buffer.concat([Buffer.of(4), lengthened(point.subarray(1))]),
  (point) => Buffer.concat([Buffer.of(anyOf([0, 1, 2, 3, 5, 6, 7, 255])), point.subarray(1)]),
  (point) => Buffer.concat([Buffer.of(4), flipped(point.subarray(1))]),
  (point) => Buffer.concat([Buffer.of(4), point.subarray(33), point.subarray(1, 33)]),
  (point) => Buffer.concat([Buffer.of(4), number(SM2_FIELD + BigInt(randomInt(1000))), point.subarray(33)]),
  (point) => Buffer.concat([Buffer.of(4), point.subarray(1, 33), number(SM2_FIELD)]),
  () => Buffer.concat([Buffer.of(4), randomBytes(64)]),
];

const CIPHERTEXTS: readonly ((one: Sm2Case) => Buffer)[] = [
  ({ ciphertext }) => flipped(ciphertext),
  ({ ciphertext }) => Buffer.from(ciphertext.subarray(0, randomInt(ciphertext.length))),
  ({ ciphertext }) => Buffer.concat([ciphertext, randomBytes(randomInt(1, 40))]),
  ({ ciphertext }) => ciphertext.subarray(1),
  ({ ciphertext }) => derCiphertext(ciphertext),
  // The older order C1, C2, C3.
  ({ ciphertext: c }) => Buffer.concat([c.subarray(0, 65), c.subarray(97), c.subarray(65, 97)]),
  ({ ciphertext }) => Buffer.concat([malformedPoint(ciphertext.subarray(0, 65), 65), ciphertext.subarray(65)]),
  ({ d }) => ofAnother(d).ciphertext,
];

/** Some private keys are more likely than others, and what was encrypted to one of them opens with it. */
function ofAnother(d: Uint8Array): Sm2Case {
  for (;;) {
    const one = randomSm2Case();
    if (Buffer.compare(one.d, d) !== 0) return one;
  }
}

export function malformedSignature(one: Sm2Case): Buffer {
  return anyOf(SIGNATURES)(one, one.signature.subarray(0, 32), one.signature.subarray(32));
}

/** Of exactly this length, where one is asked for. */
export function malformedPoint(point: Buffer, length?: number): Buffer {
  for (;;) {
    const made = anyOf(POINTS)(point);
    if (length === undefined || made.length === length) return made;
  }
}

export const malformedCiphertext = (one: Sm2Case): Buffer => anyOf(CIPHERTEXTS)(one);
