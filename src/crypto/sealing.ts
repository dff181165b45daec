import { createSecretKey } from 'node:crypto';
import { Fault } from '../shared/fault.ts';
import { randomSecret } from '../shared/random.ts';
import { deriveKeyBytes, framed, hmacKey } from './digests.ts';
import { createSm4, sm4Counter } from './sm4.ts';

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
  /** Throws `Fault('sealed_data_altered')` on anything this sealer has not sealed for this very context. */
  unseal(sealed: Uint8Array, context: string): string;
  /**
   * As `unseal`, for a column of a row that is kept in memory: what the store gave is authenticated when it is opened first, and not
   * again while the very same bytes are kept for the very same place. Nobody writes into a kept row. Only that the tag was right
   * is remembered; the plaintext is not.
   */
  unsealKept(sealed: Uint8Array, context: string): string;
}

/** Layout 1 names no key: it is that of the key that is configured. Layout 2 names the key of the ring it was sealed with. */
const CONFIGURED_KEY = Uint8Array.of(1);
const NAMED_KEY = 2;
const KEY_ID = /^[0-9a-f]{8}$/;
const KEY_ID_BYTES = 4;
const IV_BYTES = 16;
const TAG_BYTES = 32;
const SM4_KEY_BYTES = 16;
const ROOT_KEY_BYTES_MIN = 32;

/** The first bytes of everything sealed with the key `kid` (8 hexadecimal digits), or with the configured one where it is undefined. */
export function sealHeader(kid: string | undefined): Uint8Array {
  if (kid === undefined) return CONFIGURED_KEY;
  if (!KEY_ID.test(kid)) throw new Fault('internal', `${kid} cannot be the name of a key that seals.`);
  return Uint8Array.of(NAMED_KEY, ...Buffer.from(kid, 'hex'));
}

/**
 * Which key sealed it: its id, or `configured`. Undefined where the layout is none of ours. Nothing is authenticated by this; opening
 * it with that key does.
 */
export function sealedWith(sealed: Uint8Array): string | undefined {
  if (sealed[0] === CONFIGURED_KEY[0]) return 'configured';
  if (sealed[0] !== NAMED_KEY || sealed.length <= KEY_ID_BYTES) return undefined;
  return Buffer.from(sealed.subarray(1, 1 + KEY_ID_BYTES)).toString('hex');
}

/**
 * SM4-CTR with HMAC-SM3, encrypt-then-MAC (GB/T 32907, GB/T 15852.2), under two keys derived from `rootKey` (32 bytes or more).
 * Layout: header (layout 1, or layout 2 and the id of the key) | IV (16, random) | ciphertext | tag (32). The tag covers header,
 * context, IV and ciphertext, each behind its length.
 */
export function createSealer(rootKey: Uint8Array, kid?: string): Sealer {
  if (rootKey.length < ROOT_KEY_BYTES_MIN) {
    throw new Fault('internal', `The key that seals personal columns has fewer than ${ROOT_KEY_BYTES_MIN} bytes.`);
  }
  const root = hmacKey(rootKey);
  const cipherKey = deriveKeyBytes(root, 'sealing/sm4-ctr').subarray(0, SM4_KEY_BYTES);
  const tagKey = deriveKeyBytes(root, 'sealing/hmac-sm3');
  const counterKey = createSecretKey(cipherKey);
  /** For which place kept bytes were authenticated. */
  const authenticated = new WeakMap<Uint8Array, string>();
  const sm4 = createSm4('ctr-hmac-sm3', Buffer.concat([cipherKey, tagKey]));
  const header = sealHeader(kid);
  const ivEnd = header.length + IV_BYTES;

  const unseal: Sealer['unseal'] = (sealed, context) => {
    if (sealed.length < ivEnd + TAG_BYTES || !header.every((byte, at) => sealed[at] === byte)) throw altered(context);
    const tagStart = sealed.length - TAG_BYTES;
    const iv = sealed.subarray(header.length, ivEnd);
    const ciphertext = sealed.subarray(ivEnd, tagStart);
    const tag = sealed.subarray(tagStart);
    const plaintext = sm4.open(iv, { ciphertext, tag }, framed(header, context));
    if (plaintext === undefined) throw altered(context);
    return plaintext.toString('utf8');
  };

  return {
    unseal,
    unsealKept(sealed, context) {
      if (authenticated.get(sealed) === context) {
        const ciphertext = sealed.subarray(ivEnd, sealed.length - TAG_BYTES);
        return sm4Counter(counterKey, sealed.subarray(header.length, ivEnd), ciphertext).toString('utf8');
      }
      const plaintext = unseal(sealed, context);
      authenticated.set(sealed, context);
      return plaintext;
    },
    seal(plaintext, context) {
      const iv = randomSecret(IV_BYTES);
      const { ciphertext, tag } = sm4.seal(iv, Buffer.from(plaintext, 'utf8'), framed(header, context));
      return Buffer.concat([header, iv, ciphertext, tag]) as Uint8Array as SealedColumn;
    },
  };
}

/** The same sealer; `tell` hears the place of everything that does not open, before the caller is refused. */
export function toldSealer(sealer: Sealer, tell: (place: string) => void): Sealer {
  const told =
    (open: Sealer['unseal']): Sealer['unseal'] =>
    (sealed, context) => {
      try {
        return open(sealed, context);
      } catch (error) {
        if (error instanceof Fault && error.code === 'sealed_data_altered') tell(context);
        throw error;
      }
    };
  return { seal: sealer.seal, unseal: told(sealer.unseal), unsealKept: told(sealer.unsealKept) };
}

/** `place` is the context of a sealed column, `table:column:row id`: no personal datum stands in it. */
const altered = (place: string): Fault =>
  new Fault(
    'sealed_data_altered',
    `The sealed value at ${place} does not open: the encryption key is another one, or the row was altered or moved.`,
  );
