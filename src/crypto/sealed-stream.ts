import { createHash, scryptSync } from 'node:crypto';
import { Fault } from '../shared/fault.ts';
import { randomSecret } from '../shared/random.ts';
import { deriveKeyBytes, framed, hmacKey } from './digests.ts';
import { createSm4 } from './sm4.ts';

/** A pass over a stream of bytes: SM3 (GB/T 32905), hexadecimal. */
export function sm3Stream(): { update(bytes: Uint8Array): void; hex(): string } {
  const state = createHash('sm3');
  return { update: (bytes) => void state.update(bytes), hex: () => state.digest('hex') };
}

const IV_BYTES = 16;
const TAG_BYTES = 32;
const CIPHER_KEY_BYTES = 16;
const KEY_BYTES_MIN = 32;
/** 128 MiB for each guess at a passphrase (RFC 7914). */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 } as const;

/** The key of a stream out of words somebody remembers, slow to guess. */
export const keyOfPassphrase = (passphrase: string, salt: Uint8Array): Buffer =>
  scryptSync(passphrase.normalize('NFC'), salt, KEY_BYTES_MIN, SCRYPT);

/** Seals a long stream piece by piece; `place` of a piece is its number and whether it is the last. */
export interface StreamSealer {
  seal(plaintext: Uint8Array, place: Place): Buffer;
  /** Undefined for what was altered, cut off, moved, or sealed with another key or header. */
  open(sealed: Uint8Array, place: Place): Buffer | undefined;
}

export interface Place {
  readonly number: number;
  readonly isLast: boolean;
}

/**
 * SM4-CTR with HMAC-SM3 under keys for this stream alone, derived from `key` (32 bytes or more) and the header, which is authenticated with
 * every piece. Pieces cannot change places, and a stream without its last piece does not open to its end.
 * Layout of a piece: IV (16, random) | ciphertext | tag (32).
 */
export function createStreamSealer(key: Uint8Array, header: string): StreamSealer {
  if (key.length < KEY_BYTES_MIN) throw new Fault('internal', `The key has fewer than ${KEY_BYTES_MIN} bytes.`);
  const root = hmacKey(key);
  const cipherKey = deriveKeyBytes(root, `stream/sm4-ctr ${header}`).subarray(0, CIPHER_KEY_BYTES);
  const tagKey = deriveKeyBytes(root, `stream/hmac-sm3 ${header}`);
  const sm4 = createSm4('ctr-hmac-sm3', Buffer.concat([cipherKey, tagKey]));
  const bound = ({ number, isLast }: Place): Buffer => framed(header, String(number), isLast ? 'last' : 'more');
  return {
    seal(plaintext, place) {
      const iv = randomSecret(IV_BYTES);
      const { ciphertext, tag } = sm4.seal(iv, plaintext, bound(place));
      return Buffer.concat([iv, ciphertext, tag]);
    },
    open(sealed, place) {
      if (sealed.length < IV_BYTES + TAG_BYTES) return undefined;
      const tagAt = sealed.length - TAG_BYTES;
      const parts = { ciphertext: sealed.subarray(IV_BYTES, tagAt), tag: sealed.subarray(tagAt) };
      return sm4.open(sealed.subarray(0, IV_BYTES), parts, bound(place));
    },
  };
}
