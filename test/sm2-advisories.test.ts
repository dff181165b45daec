import { randomBytes } from 'node:crypto';
import test from 'ava';
import { SM2_ORDER, wholeNumber } from '../src/crypto/signer.ts';
import { sm2SignatureToDer } from '../src/crypto/sm2/der.ts';
import {
  decryptSm2,
  encryptSm2,
  readSm2PrivateKey,
  readSm2PublicKey,
  signSm2,
  verifySm2,
} from '../src/crypto/sm2/sm2.ts';
import { freshSm2PrivateKey } from '../src/crypto/sm2-key-file.ts';
import { Fault } from '../src/shared/fault.ts';

/** What has gone wrong in sm-crypto, tried on our own SM2. */

const key = readSm2PrivateKey(Buffer.from(freshSm2PrivateKey(), 'hex'));
const message = Buffer.from('{"sub":"a person"}');
const bytes = (number: bigint): Buffer => Buffer.from(number.toString(16).padStart(64, '0'), 'hex');
const both = (r: bigint, s: bigint): Buffer => Buffer.concat([bytes(r), bytes(s)]);

test('V59 CVE-2026-23965 no signature comes about without the key: numbers at and beyond their bounds', (t) => {
  const largest = 2n ** 256n - 1n;
  const bounds = [0n, 1n, SM2_ORDER - 1n, SM2_ORDER, SM2_ORDER + 1n, largest];
  for (const r of bounds) for (const s of bounds) t.false(verifySm2(message, both(r, s), key.publicKey), `${r} ${s}`);
  for (let round = 0; round < 200; round += 1) {
    const r = (wholeNumber(randomBytes(40)) % (SM2_ORDER - 1n)) + 1n;
    t.false(verifySm2(message, both(r, SM2_ORDER - r), key.publicKey), 'r + s is the order: the key plays no part');
    t.false(verifySm2(message, both(r, 0n), key.publicKey));
    t.false(verifySm2(message, both(0n, r), key.publicKey));
    t.false(verifySm2(message, randomBytes(64), key.publicKey));
  }
  for (const point of [Buffer.alloc(64), Buffer.alloc(65), Buffer.alloc(1), Buffer.from('00', 'hex')]) {
    t.throws(() => readSm2PublicKey(point), { instanceOf: Fault }, 'the point at infinity is no key');
  }
});

test('V59 CVE-2026-23966 a point of another curve is not multiplied with the private key', (t) => {
  const ciphertext = encryptSm2(Buffer.from('a content key'), key.publicKey);
  for (let round = 0; round < 300; round += 1) {
    const altered = Buffer.from(ciphertext);
    if (round % 3 === 0) randomBytes(64).copy(altered, 1);
    else altered[1 + ((round * 7) % 64)]! ^= 1 << (round % 8);
    t.is(decryptSm2(altered, key), undefined);
  }
  for (const x of [0n, 1n, 2n ** 256n - 1n]) {
    t.is(decryptSm2(Buffer.concat([Buffer.of(4), bytes(x), bytes(0n), ciphertext.subarray(65)]), key), undefined);
  }
  t.throws(() => readSm2PublicKey(Buffer.concat([Buffer.of(4), bytes(1n), bytes(1n)])), { instanceOf: Fault });
});

test('V59 CVE-2026-23967 a signature has one form: nothing made from a good one is another good one', (t) => {
  const signature = signSm2(message, key);
  t.true(verifySm2(message, signature, key.publicKey));
  const [r, s] = [wholeNumber(signature.subarray(0, 32)), wholeNumber(signature.subarray(32))];
  const variants: Readonly<Record<string, Uint8Array>> = {
    's negated': both(r, SM2_ORDER - s),
    'r negated': both(SM2_ORDER - r, s),
    'both negated': both(SM2_ORDER - r, SM2_ORDER - s),
    exchanged: both(s, r),
    'a zero in front': Buffer.concat([Buffer.of(0), signature]),
    'a zero between': Buffer.concat([signature.subarray(0, 32), Buffer.of(0), signature.subarray(32)]),
    'a zero behind': Buffer.concat([signature, Buffer.of(0)]),
    'as hexadecimal text': Buffer.from(signature.toString('hex')),
    'as DER': sm2SignatureToDer(signature),
    'one byte less': signature.subarray(0, 63),
  };
  for (const [what, variant] of Object.entries(variants)) t.false(verifySm2(message, variant, key.publicKey), what);
  const raised = r + SM2_ORDER;
  if (raised < 2n ** 256n) t.false(verifySm2(message, both(raised, s), key.publicKey));
});

test('V59 R9 CVE-2026-73567 keys and nonces do not come from Math.random', (t) => {
  const original = Math.random;
  Math.random = () => 0.5;
  t.teardown(() => {
    Math.random = original;
  });
  const keys = Array.from({ length: 200 }, freshSm2PrivateKey);
  t.is(new Set(keys).size, keys.length);
  const firsts = Array.from({ length: 600 }, () => signSm2(message, key).subarray(0, 32).toString('hex'));
  t.is(new Set(firsts).size, firsts.length, 'each signature has a nonce of its own');
  const points = Array.from({ length: 100 }, () => encryptSm2(message, key.publicKey).subarray(1, 65).toString('hex'));
  t.is(new Set(points).size, points.length);
});
