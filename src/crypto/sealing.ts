import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { Fault } from '../shared/fault.ts';
import { randomSecret } from '../shared/random.ts';
import { deriveKeyBytes, equalInConstantTime, framed, hmacKey, hmacSm3 } from './digests.ts';

declare const sealedColumn: unique symbol;

/** Ciphertext of one column of one row. Only this file makes one and only this file opens it. */
export type SealedColumn = Uint8Array & { readonly [sealedColumn]: true };

/**
 * Encrypts what must not be readable in a copy of the database.
 * `context` names the place, `table:column:row id`: it is authenticated, so that a sealed value pasted into another row, or
 * another column, does not open.
 */
export interface Sealer {
  seal(plaintext: string, context: string): SealedColumn;
  /** Throws `Fault('internal')` on anything this sealer has not sealed for this very context. */
  unseal(sealed: Uint8Array, context: string): string;
}

/** The one mode we use. Libraries that fall back to ECB without a word are why it stands here and nowhere else (R7). */
const CIPHER = 'sm4-ctr';
const VERSION = 1;
const VERSION_BYTES = 1;
const IV_BYTES = 16;
const TAG_BYTES = 32;
const SM4_KEY_BYTES = 16;
const ROOT_KEY_BYTES_MIN = 32;

/**
 * SM4-CTR with HMAC-SM3, encrypt-then-MAC (GB/T 32907, GB/T 15852.2), under two keys derived from `rootKey` (32 bytes or more).
 * Layout: version (1) | IV (16, random) | ciphertext | tag (32). The tag covers version, context, IV and ciphertext, each
 * behind its length.
 */
export function createSealer(rootKey: Uint8Array): Sealer {
  if (rootKey.length < ROOT_KEY_BYTES_MIN) {
    throw new Fault('internal', `The key that seals personal columns has fewer than ${ROOT_KEY_BYTES_MIN} bytes.`);
  }
  const root = hmacKey(rootKey);
  const cipherKey = createSecretKey(deriveKeyBytes(root, 'sealing/sm4-ctr').subarray(0, SM4_KEY_BYTES));
  const tagKey = hmacKey(deriveKeyBytes(root, 'sealing/hmac-sm3'));
  const version = Uint8Array.of(VERSION);
  const tagOf = (context: string, iv: Uint8Array, ciphertext: Uint8Array): Buffer =>
    hmacSm3(tagKey, framed(version, context, iv, ciphertext));

  return {
    seal(plaintext, context) {
      const iv = randomSecret(IV_BYTES);
      const cipher = createCipheriv(CIPHER, cipherKey, iv);
      const ciphertext = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
      return Buffer.concat([version, iv, ciphertext, tagOf(context, iv, ciphertext)]) as Uint8Array as SealedColumn;
    },

    unseal(sealed, context) {
      if (sealed.length < VERSION_BYTES + IV_BYTES + TAG_BYTES || sealed[0] !== VERSION) throw unreadable(context);
      const tagStart = sealed.length - TAG_BYTES;
      const iv = sealed.subarray(VERSION_BYTES, VERSION_BYTES + IV_BYTES);
      const ciphertext = sealed.subarray(VERSION_BYTES + IV_BYTES, tagStart);
      if (!equalInConstantTime(sealed.subarray(tagStart), tagOf(context, iv, ciphertext))) throw unreadable(context);
      const decipher = createDecipheriv(CIPHER, cipherKey, iv);
      return decipher.update(ciphertext, undefined, 'utf8') + decipher.final('utf8');
    },
  };
}

const unreadable = (context: string): Fault =>
  new Fault(
    'internal',
    `The sealed value at ${context} does not open: the encryption key is another one, or the row was altered or moved.`,
  );
