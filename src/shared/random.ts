import { randomBytes, randomFillSync } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const POOL_BYTES = 4096;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let poolOffset = POOL_BYTES;

/** Cryptographically random bytes, in memory of their own. Few come from the same pool as tokens, for the same reason. */
export function randomSecret(bytes: number): Buffer {
  if (bytes > POOL_BYTES / 8) return randomBytes(bytes);
  const secret = Buffer.allocUnsafeSlow(bytes);
  const at = taken(bytes);
  pool.copy(secret, 0, at, at + bytes);
  pool.fill(0, at, at + bytes);
  return secret;
}

/**
 * A URL-safe random text of `length` characters, 6 bits each, drawn from a pool that is filled by the system's
 * generator 4 KiB at a time: one system call serves some ninety tokens. Bytes handed out are wiped from the pool.
 */
export function randomToken(length: number): string {
  const at = taken(length);
  let token = '';
  for (let index = at; index < at + length; index += 1) token += ALPHABET[pool[index]! & 63];
  pool.fill(0, at, at + length);
  return token;
}

/** Fills the first `length` bytes with cryptographically random ones out of the pool: for few that go into something larger. */
export function fillFromPool(bytes: Uint8Array, length: number): void {
  const at = taken(length);
  bytes.set(pool.subarray(at, at + length));
  pool.fill(0, at, at + length);
}

/** Where in the pool so many unused bytes begin; they are the caller's, to be wiped. */
function taken(length: number): number {
  if (poolOffset + length > POOL_BYTES) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  const at = poolOffset;
  poolOffset += length;
  return at;
}

/** Fills bytes where they lie with cryptographically random ones: for secrets that shall have no second copy. */
export function fillWithRandom(bytes: Uint8Array): void {
  randomFillSync(bytes);
}
