import { randomBytes, randomFillSync } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const POOL_BYTES = 4096;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let poolOffset = POOL_BYTES;

/** Cryptographically random bytes. */
export const randomSecret = (bytes: number): Buffer => randomBytes(bytes);

/**
 * A URL-safe random text of `length` characters, 6 bits each, drawn from a pool that is filled by the system's
 * generator 4 KiB at a time: one system call serves some ninety tokens. Bytes handed out are wiped from the pool.
 */
export function randomToken(length: number): string {
  if (poolOffset + length > POOL_BYTES) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  let token = '';
  for (let index = poolOffset; index < poolOffset + length; index += 1) token += ALPHABET[pool[index]! & 63];
  pool.fill(0, poolOffset, poolOffset + length);
  poolOffset += length;
  return token;
}
