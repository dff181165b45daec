import { z } from 'zod';
import { sm2Engine } from '../../src/crypto/sm2/engine.ts';
import type { KeyStore } from './keys.ts';

const requestId = z.string().min(16).max(64);
const NEW_KEY = z.looseObject({ requestId, algorithm: z.literal('SM2') });
const SIGN = z.looseObject({
  requestId,
  keyId: z.string().max(64),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
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
  return undefined;
}

/** r || s over the digest e (GB/T 32918.2 6.1 from step A3 on), in hexadecimal. */
function signatureOver(digest: string, privateKeyHex: string): string {
  const engine = sm2Engine();
  const factor = engine.signingFactor(Buffer.from(privateKeyHex, 'hex'));
  const signature = engine.sign(Buffer.from(digest, 'hex'), factor);
  factor.fill(0);
  return signature.toString('hex');
}
