import { Fault } from '../shared/fault.ts';
import { randomSecret } from '../shared/random.ts';
import { deriveKeyBytes, framed, hmacKey } from './digests.ts';
import { createSm4 } from './sm4.ts';

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
  const cipherKey = deriveKeyBytes(root, 'sealing/sm4-ctr').subarray(0, SM4_KEY_BYTES);
  const tagKey = deriveKeyBytes(root, 'sealing/hmac-sm3');
  const sm4 = createSm4('ctr-hmac-sm3', Buffer.concat([cipherKey, tagKey]));
  const version = Uint8Array.of(VERSION);

  return {
    seal(plaintext, context) {
      const iv = randomSecret(IV_BYTES);
      const { ciphertext, tag } = sm4.seal(iv, Buffer.from(plaintext, 'utf8'), framed(version, context));
      return Buffer.concat([version, iv, ciphertext, tag]) as Uint8Array as SealedColumn;
    },

    unseal(sealed, context) {
      if (sealed.length < VERSION_BYTES + IV_BYTES + TAG_BYTES || sealed[0] !== VERSION) throw unreadable(context);
      const tagStart = sealed.length - TAG_BYTES;
      const iv = sealed.subarray(VERSION_BYTES, VERSION_BYTES + IV_BYTES);
      const ciphertext = sealed.subarray(VERSION_BYTES + IV_BYTES, tagStart);
      const tag = sealed.subarray(tagStart);
      const plaintext = sm4.open(iv, { ciphertext, tag }, framed(version, context));
      if (plaintext === undefined) throw unreadable(context);
      return plaintext.toString('utf8');
    },
  };
}

const unreadable = (context: string): Fault =>
  new Fault(
    'internal',
    `The sealed value at ${context} does not open: the encryption key is another one, or the row was altered or moved.`,
  );
