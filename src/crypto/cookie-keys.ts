import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { Fault } from '../shared/fault.ts';
import { hmacKey } from './digests.ts';

/** 27 characters of base64url are 162 bits: no shorter than 128, and every byte of a cookie is sent with every request. */
const SIGNATURE_CHARS = 27;
const SIGNATURE = new RegExp(`^[\\w-]{${SIGNATURE_CHARS}}$`);

/** Signatures kept in memory: some 2 MB. */
const SIGNATURES_KEPT_MAX = 10_000;

/** What the cookie libraries ask of a key ring: the interface of keygrip. */
export interface CookieKeys {
  /** Signs with the newest key. */
  sign(text: string): string;
  verify(text: string, signature: string): boolean;
  /** The place of the key that made the signature, 0 being the newest, or -1. Above 0 the cookie is to be signed anew. */
  index(text: string, signature: string): number;
}

/**
 * Signs cookies with HMAC-SHA256, newest key first. Does what keygrip does at an eighth of its price: keys are prepared once
 * instead of with every call.
 * A class, because koa and the protocol library copy plain objects when they read their settings.
 */
class CookieKeyRing implements CookieKeys {
  readonly #keys: readonly KeyObject[];
  readonly #expected = Buffer.alloc(SIGNATURE_CHARS);
  readonly #presented = Buffer.alloc(SIGNATURE_CHARS);
  /**
   * Signatures of the newest key by what they sign: a browser shows each cookie again and again, and a ceremony clears the same one each time.
   * Only what was signed here or was found right, so that invented cookies push nothing out.
   */
  readonly #kept = new Map<string, string>();

  constructor(keys: readonly KeyObject[]) {
    this.#keys = keys;
  }

  sign(text: string): string {
    const kept = this.#kept.get(text);
    return kept ?? this.#keep(text, signatureOf(text, this.#keys[0]!));
  }

  verify(text: string, signature: string): boolean {
    return this.index(text, signature) >= 0;
  }

  index(text: string, signature: string): number {
    // Only its own alphabet: `latin1` below would fold other letters onto these.
    if (!SIGNATURE.test(signature)) return -1;
    this.#presented.write(signature, 'latin1');
    for (let place = 0; place < this.#keys.length; place += 1) {
      const kept = place === 0 ? this.#kept.get(text) : undefined;
      const expected = kept ?? signatureOf(text, this.#keys[place]!);
      this.#expected.write(expected, 'latin1');
      if (!timingSafeEqual(this.#expected, this.#presented)) continue;
      if (place === 0 && kept === undefined) this.#keep(text, expected);
      return place;
    }
    return -1;
  }

  #keep(text: string, signature: string): string {
    if (this.#kept.size >= SIGNATURES_KEPT_MAX)
      for (const oldest of this.#kept.keys()) if (this.#kept.delete(oldest)) break;
    this.#kept.set(text, signature);
    return signature;
  }
}

const signatureOf = (text: string, key: KeyObject): string =>
  createHmac('sha256', key).update(text).digest('base64url').slice(0, SIGNATURE_CHARS);

/** The key ring over `secrets`, newest first; each is text of 32 characters or more. Throws `Fault('internal')` without one. */
export function createCookieKeys(secrets: readonly string[]): CookieKeys {
  if (secrets.length === 0) throw new Fault('internal', 'No key to sign cookies with is configured.');
  return new CookieKeyRing(secrets.map((secret) => hmacKey(Buffer.from(secret, 'utf8'))));
}
