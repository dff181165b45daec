import { hmacKey, hmacSm3, sm3 } from '../crypto/digests.ts';

/** How a hardware token computes its code. Two schemes are in use, and they are never mixed. */
export const TOKEN_ALGORITHMS = ['gmt0021', 'totp-hmac-sm3'] as const;
export type TokenAlgorithm = (typeof TOKEN_ALGORITHMS)[number];

/** What a token is made of. `key` is hex, 16 bytes or more; the period is in seconds. */
export interface TokenSeed {
  readonly algorithm: TokenAlgorithm;
  readonly key: string;
  readonly periodSeconds: number;
  readonly digits: number;
}

/** What goes into a code of GM/T 0021 beside the key: a step, an event counter, a challenge; at least one of the first two. */
export interface Gmt0021Factors {
  readonly step?: number;
  readonly counter?: number;
  readonly challenge?: string;
}

const ID_BYTES_MIN = 16;
const WORD_BYTES = 4;
const WORDS = 8;

/**
 * A dynamic password of GM/T 0021 (GB/T 38556-2020) with SM3: ID = T (8 bytes) | C (4 bytes) | Q, filled with zeros to 16 bytes;
 * S = SM3(K | ID); the eight words of S are added modulo 2^32, and the last digits of the sum are the code. No HMAC, and not the
 * truncation of RFC 4226.
 */
export function gmt0021Code(key: Uint8Array, { step, counter, challenge }: Gmt0021Factors, digits: number): string {
  const parts: Buffer[] = [];
  if (step !== undefined) {
    const time = Buffer.alloc(8);
    time.writeBigUInt64BE(BigInt(step));
    parts.push(time);
  }
  if (counter !== undefined) {
    const event = Buffer.alloc(4);
    event.writeUInt32BE(counter);
    parts.push(event);
  }
  if (challenge !== undefined) parts.push(Buffer.from(challenge, 'ascii'));
  const id = Buffer.concat(parts);
  const filled = Buffer.concat([id, Buffer.alloc(Math.max(0, ID_BYTES_MIN - id.length))]);
  const digest = sm3(Buffer.concat([key, filled]));
  let sum = 0;
  for (let word = 0; word < WORDS; word += 1) sum = (sum + digest.readUInt32BE(word * WORD_BYTES)) >>> 0;
  return lastDigits(sum, digits);
}

/** RFC 6238 with HMAC-SM3 in place of HMAC-SHA-1, truncated as RFC 4226 5.3 says. */
export function totpSm3Code(key: Uint8Array, step: number, digits: number): string {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(step));
  const digest = hmacSm3(hmacKey(key), time);
  const offset = digest.at(-1)! & 15;
  return lastDigits(digest.readUInt32BE(offset) & 0x7fffffff, digits);
}

const lastDigits = (value: number, digits: number): string => String(value % 10 ** digits).padStart(digits, '0');

/** The code a token shows in this step. */
export function tokenCode({ algorithm, key, digits }: TokenSeed, step: number): string {
  const bytes = Buffer.from(key, 'hex');
  return algorithm === 'gmt0021' ? gmt0021Code(bytes, { step }, digits) : totpSm3Code(bytes, step, digits);
}
