import { createCipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { Fault } from '../shared/fault.ts';
import { equalInConstantTime, framed, hmacKey, hmacSm3 } from './digests.ts';
import { ghash } from './ghash.ts';

/** What encryption yields. */
export interface Sm4Sealed {
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

/**
 * SM4 (GB/T 32907) that also authenticates. One key, and never the same `iv` twice under it. `associated` is not encrypted but
 * bound: with another, nothing opens.
 */
export interface Sm4Aead {
  seal(iv: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Sm4Sealed;
  /** Undefined for everything that was not sealed with this key, iv and associated data. */
  open(iv: Uint8Array, sealed: Sm4Sealed, associated: Uint8Array): Buffer | undefined;
}

interface Mode {
  readonly keyBytes: number;
  readonly ivBytes: number;
  readonly create: (key: Uint8Array) => Sm4Aead;
}

const CIPHER_KEY_BYTES = 16;
const BLOCK_BYTES = 16;
const TAG_KEY_BYTES = 32;
const ZERO_BLOCK = new Uint8Array(BLOCK_BYTES);

/**
 * All modes there are. Libraries that answer a mode they do not know with ECB, and say nothing, are why SM4 stands in this
 * file and nowhere else (R7).
 */
const MODES: ReadonlyMap<string, Mode> = new Map([
  ['ctr-hmac-sm3', { keyBytes: CIPHER_KEY_BYTES + TAG_KEY_BYTES, ivBytes: 16, create: counterWithHmac }],
  ['gcm', { keyBytes: CIPHER_KEY_BYTES, ivBytes: 12, create: galoisCounter }],
]);

export type Sm4Mode = 'ctr-hmac-sm3' | 'gcm';

/**
 * SM4 in one mode: `gcm` (RFC 8998, key of 16 bytes, iv of 12, tag of 16) or `ctr-hmac-sm3` (counter mode, then HMAC-SM3 over
 * associated data, iv and ciphertext; key of 16 and 32 bytes, iv of 16, tag of 32; the associated data says itself where it
 * ends, as `framed` makes it). Throws `Fault('internal')` for any other mode and for keys and ivs of other lengths.
 */
export function createSm4(mode: Sm4Mode, key: Uint8Array): Sm4Aead {
  const known = MODES.get(mode);
  if (known === undefined) throw new Fault('internal', `There is no SM4 mode of the name ${JSON.stringify(mode)}.`);
  if (key.length !== known.keyBytes) throw new Fault('internal', `The SM4 key must have ${known.keyBytes} bytes.`);
  const aead = known.create(key);
  const checked = (iv: Uint8Array): Uint8Array => {
    if (iv.length !== known.ivBytes) throw new Fault('internal', `The SM4 iv must have ${known.ivBytes} bytes.`);
    return iv;
  };
  return {
    seal: (iv, plaintext, associated) => aead.seal(checked(iv), plaintext, associated),
    open: (iv, sealed, associated) => aead.open(checked(iv), sealed, associated),
  };
}

/**
 * Counter mode alone, which is its own inverse, under a key of 16 bytes and an iv of 16. Only for what is authenticated by other
 * means: a changed ciphertext opens to a changed text.
 */
export const sm4Counter = (key: KeyObject, iv: Uint8Array, text: Uint8Array): Buffer => counterMode(key, iv, text)[0]!;

/** `sm4Counter` for a key that is used again and again; what it gives stands where the text stood. */
export type Sm4Stream = (iv: Uint8Array, text: Uint8Array) => void;

const COUNTER_BYTES = 4;
const COUNTER_END = 2 ** 32;

/**
 * `sm4Counter` with the cipher kept open for the next text: making one costs more than encrypting a few blocks. What is kept is the key alone. Each
 * call encrypts the counters from its own iv on, block by block, and so there is no place in a key stream that could be lost or come twice.
 */
export function sm4Stream(key: KeyObject): Sm4Stream {
  const cipher = createCipheriv('sm4-ecb', key, null).setAutoPadding(false);
  return (iv, text) => {
    const blocks = Math.ceil(text.length / BLOCK_BYTES);
    const counters = Buffer.alloc(blocks * BLOCK_BYTES, iv);
    const at = BLOCK_BYTES - COUNTER_BYTES;
    const first = counters.length === 0 ? 0 : counters.readUInt32BE(at);
    // Once in hundreds of millions the counter carries over into the bytes before it.
    if (first + blocks > COUNTER_END) return text.set(sm4Counter(key, iv, text));
    for (let block = 1; block < blocks; block += 1) counters.writeUInt32BE(first + block, block * BLOCK_BYTES + at);
    const stream = cipher.update(counters);
    for (let byte = 0; byte < text.length; byte += 1) text[byte]! ^= stream[byte]!;
  };
}

/** The key stream from `counter` on, over the bytes. */
function counterMode(key: KeyObject, counter: Uint8Array, ...parts: readonly Uint8Array[]): Buffer[] {
  const cipher = createCipheriv('sm4-ctr', key, counter);
  return parts.map((part) => cipher.update(part));
}

function counterWithHmac(key: Uint8Array): Sm4Aead {
  const cipherKey = createSecretKey(key.subarray(0, CIPHER_KEY_BYTES));
  const tagKey = hmacKey(key.subarray(CIPHER_KEY_BYTES));
  const tagOf = (iv: Uint8Array, ciphertext: Uint8Array, associated: Uint8Array): Buffer =>
    hmacSm3(tagKey, Buffer.concat([associated, framed(iv, ciphertext)]));
  return {
    seal(iv, plaintext, associated) {
      const [ciphertext] = counterMode(cipherKey, iv, plaintext) as [Buffer];
      return { ciphertext, tag: tagOf(iv, ciphertext, associated) };
    },
    open(iv, { ciphertext, tag }, associated) {
      if (!equalInConstantTime(tag, tagOf(iv, ciphertext, associated))) return undefined;
      return counterMode(cipherKey, iv, ciphertext)[0];
    },
  };
}

/** NIST SP 800-38D with a 96-bit iv. Node's OpenSSL has SM4 without this mode. */
function galoisCounter(key: Uint8Array): Sm4Aead {
  const cipherKey = createSecretKey(key);
  // Counter mode turns zeros into the encrypted counter.
  const [hashKey] = counterMode(cipherKey, ZERO_BLOCK, ZERO_BLOCK) as [Buffer];
  const pass = (iv: Uint8Array, text: Uint8Array): { readonly mask: Buffer; readonly result: Buffer } => {
    const first = Buffer.alloc(BLOCK_BYTES);
    first.set(iv);
    first[BLOCK_BYTES - 1] = 1;
    const [mask, result] = counterMode(cipherKey, first, ZERO_BLOCK, text) as [Buffer, Buffer];
    return { mask, result };
  };
  const tagOf = (mask: Buffer, ciphertext: Uint8Array, associated: Uint8Array): Buffer => {
    const digest = ghash(hashKey, associated, ciphertext);
    for (let byte = 0; byte < BLOCK_BYTES; byte += 1) digest[byte]! ^= mask[byte]!;
    return digest;
  };
  return {
    seal(iv, plaintext, associated) {
      const { mask, result } = pass(iv, plaintext);
      return { ciphertext: result, tag: tagOf(mask, result, associated) };
    },
    open(iv, { ciphertext, tag }, associated) {
      const { mask, result } = pass(iv, ciphertext);
      if (equalInConstantTime(tag, tagOf(mask, ciphertext, associated))) return result;
      result.fill(0);
      return undefined;
    },
  };
}
