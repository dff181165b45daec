import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { sm2Engine } from '../../src/crypto/sm2/engine.ts';
import { encryptSm2, readSm2PublicKey } from '../../src/crypto/sm2/sm2.ts';
import { createSm4 } from '../../src/crypto/sm4.ts';
import type { KeyStore } from './keys.ts';

const requestId = z.string().min(16).max(64);
const NEW_KEY = z.looseObject({ requestId, algorithm: z.literal('SM2') });
const SIGN = z.looseObject({
  requestId,
  keyId: z.string().max(64),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
});

const NEW_WRAPPED = z.looseObject({ requestId, keyId: z.string().max(64) });
const UNWRAP = z.looseObject({
  requestId,
  keyId: z.string().max(64),
  wrapped: z.string().regex(/^[0-9a-f]{24,2048}$/),
  to: z.string().regex(/^04[0-9a-f]{128}$/),
});

/** The answer to one question, or undefined when the path or the form of the body is not known. */
export function answerTo(path: string, body: unknown, keys: KeyStore): Readonly<Record<string, string>> | undefined {
  if (path === '/keys') {
    const question = NEW_KEY.safeParse(body).data;
    if (question === undefined) return undefined;
    const made = keys.make();
    return made === undefined
      ? { requestId: question.requestId, refused: 'no_key_left' }
      : { requestId: question.requestId, keyId: made.keyId, publicKey: made.publicKeyHex };
  }
  if (path === '/sign') {
    const question = SIGN.safeParse(body).data;
    if (question === undefined) return undefined;
    const key = keys.find(question.keyId);
    return key === undefined
      ? { requestId: question.requestId, refused: 'unknown_key' }
      : { requestId: question.requestId, signature: signatureOver(question.digest, key.privateKeyHex) };
  }
  if (path === '/wrapped-keys') {
    const question = NEW_WRAPPED.safeParse(body).data;
    const kek = question && keys.wrapping(question.keyId);
    if (question === undefined) return undefined;
    if (kek === undefined) return { requestId: question.requestId, refused: 'unknown_key' };
    return { requestId: question.requestId, wrapped: wrap(randomBytes(MASTER_KEY_BYTES), kek) };
  }
  if (path === '/unwrap') {
    const question = UNWRAP.safeParse(body).data;
    if (question === undefined) return undefined;
    const kek = keys.wrapping(question.keyId);
    if (kek === undefined) return { requestId: question.requestId, refused: 'unknown_key' };
    const key = unwrap(question.wrapped, kek);
    return key === undefined
      ? { requestId: question.requestId, refused: 'not_wrapped_here' }
      : { requestId: question.requestId, key: encryptSm2(key, keyOf(question.to)).toString('hex') };
  }
  return undefined;
}

const MASTER_KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const NAME = Buffer.from('tongban master key');

/** SM4-GCM: iv, ciphertext and tag in hexadecimal. A device does this with a key that nobody can read. */
function wrap(key: Buffer, kek: Buffer): string {
  const iv = randomBytes(IV_BYTES);
  const { ciphertext, tag } = createSm4('gcm', kek).seal(iv, key, NAME);
  return Buffer.concat([iv, ciphertext, tag]).toString('hex');
}

function unwrap(wrapped: string, kek: Buffer): Buffer | undefined {
  const bytes = Buffer.from(wrapped, 'hex');
  const [ciphertext, tag] = [bytes.subarray(IV_BYTES, -TAG_BYTES), bytes.subarray(-TAG_BYTES)];
  return createSm4('gcm', kek).open(bytes.subarray(0, IV_BYTES), { ciphertext, tag }, NAME);
}

const keyOf = (publicKeyHex: string) => readSm2PublicKey(Buffer.from(publicKeyHex, 'hex'));

/** r || s over the digest e (GB/T 32918.2 6.1 from step A3 on), in hexadecimal. */
function signatureOver(digest: string, privateKeyHex: string): string {
  const engine = sm2Engine();
  const factor = engine.signingFactor(Buffer.from(privateKeyHex, 'hex'));
  const signature = engine.sign(Buffer.from(digest, 'hex'), factor);
  factor.fill(0);
  return signature.toString('hex');
}
