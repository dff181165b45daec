import { hash, type KeyObject } from 'node:crypto';

/** The algorithms of this house. Both digest blocks of 64 bytes into 32 (GB/T 32905, FIPS 180-4). */
export type HmacAlgorithm = 'sm3' | 'sha256';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
/** A cookie, a token or a sealed column fits; what is longer gets room of its own. */
const ROOM_BYTES = 2048;

/** What the two digests of RFC 2104 begin with. */
interface Pads {
  readonly inner: Buffer;
  readonly outer: Buffer;
}

const prepared: Readonly<Record<HmacAlgorithm, WeakMap<KeyObject, Pads>>> = {
  sm3: new WeakMap(),
  sha256: new WeakMap(),
};
/** Filled and read within one call, and never handed out. */
const room = Buffer.alloc(BLOCK_BYTES + ROOM_BYTES);
const outerRoom = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);

/**
 * HMAC (RFC 2104, GB/T 15852.2) out of two digests of one call each: half the price of `createHmac` for short messages, for which that
 * object and the buffer it answers with are most of the work. Text counts as UTF-8; `binary` gives each byte as one character.
 */
export function hmac(
  algorithm: HmacAlgorithm,
  key: KeyObject,
  message: Uint8Array | string,
  encoding: 'binary' | 'base64url',
): string {
  const { inner, outer } = padsOf(algorithm, key);
  const end = BLOCK_BYTES + (typeof message === 'string' ? Buffer.byteLength(message) : message.length);
  const whole = end <= room.length ? room : Buffer.allocUnsafe(end);
  whole.set(inner);
  if (typeof message === 'string') whole.write(message, BLOCK_BYTES, 'utf8');
  else whole.set(message, BLOCK_BYTES);
  outerRoom.set(outer);
  outerRoom.write(hash(algorithm, whole.subarray(0, end), 'binary'), BLOCK_BYTES, 'latin1');
  return hash(algorithm, outerRoom, encoding);
}

function padsOf(algorithm: HmacAlgorithm, key: KeyObject): Pads {
  const known = prepared[algorithm].get(key);
  if (known !== undefined) return known;
  const material = key.export();
  // RFC 2104 section 2: a key longer than a block stands for its digest.
  const short = material.length > BLOCK_BYTES ? hash(algorithm, material, 'buffer') : material;
  const block = Buffer.concat([short, Buffer.alloc(BLOCK_BYTES - short.length)]);
  const pads = { inner: block.map((byte) => byte ^ 0x36) as Buffer, outer: block.map((byte) => byte ^ 0x5c) as Buffer };
  prepared[algorithm].set(key, pads);
  return pads;
}
