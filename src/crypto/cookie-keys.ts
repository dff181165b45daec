import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { BoundedMap } from '../shared/bounded-map.ts';
import { Fault } from '../shared/fault.ts';
import { hmacKey } from './digests.ts';
import { hmac } from './hmac.ts';
import { CONFIGURED, type RingKey, type SecretRing } from './secret-ring.ts';

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
  readonly #ring: () => readonly KeyObject[];
  #signing: KeyObject | undefined;
  readonly #expected = Buffer.alloc(SIGNATURE_CHARS);
  readonly #presented = Buffer.alloc(SIGNATURE_CHARS);
  /**
   * Signatures of the newest key by what they sign: a browser shows each cookie again and again, and a ceremony clears the same one each time.
   * Only what was signed here or was found right, so that invented cookies push nothing out.
   */
  readonly #kept = new BoundedMap<string, string>(SIGNATURES_KEPT_MAX);

  constructor(ring: () => readonly KeyObject[]) {
    this.#ring = ring;
  }

  sign(text: string): string {
    const [signing] = this.#keys();
    return this.#kept.get(text) ?? this.#keep(text, signatureOf(text, signing!));
  }

  verify(text: string, signature: string): boolean {
    return this.index(text, signature) >= 0;
  }

  index(text: string, signature: string): number {
    // Only its own alphabet: `latin1` below would fold other letters onto these.
    if (!SIGNATURE.test(signature)) return -1;
    this.#presented.write(signature, 'latin1');
    const keys = this.#keys();
    for (let place = 0; place < keys.length; place += 1) {
      const kept = place === 0 ? this.#kept.get(text) : undefined;
      const expected = kept ?? signatureOf(text, keys[place]!);
      this.#expected.write(expected, 'latin1');
      if (!timingSafeEqual(this.#expected, this.#presented)) continue;
      if (place === 0 && kept === undefined) this.#keep(text, expected);
      return place;
    }
    return -1;
  }

  /** The keys as they are now. What the one in use before has signed is not kept. */
  #keys(): readonly KeyObject[] {
    const keys = this.#ring();
    if (keys[0] !== this.#signing) this.#kept.clear();
    this.#signing = keys[0];
    return keys;
  }

  #keep(text: string, signature: string): string {
    this.#kept.set(text, signature);
    return signature;
  }
}

const signatureOf = (text: string, key: KeyObject): string =>
  hmac('sha256', key, text, 'base64url').slice(0, SIGNATURE_CHARS);

/** The keys over `secrets`, newest first; each is text of 32 characters or more. Throws `Fault('internal')` without one. */
export function createCookieKeys(secrets: readonly string[]): CookieKeys {
  const keys = configuredKeys(secrets);
  return new CookieKeyRing(() => keys);
}

/** The keys of the ring, the one in use first. In the place of the configured key stand all that are configured. */
export function createRingCookieKeys(ring: SecretRing, secrets: readonly string[]): CookieKeys {
  const configured = configuredKeys(secrets);
  const prepared = new WeakMap<readonly RingKey[], readonly KeyObject[]>();
  return new CookieKeyRing(() => {
    const held = ring.keys('cookies');
    let keys = prepared.get(held);
    if (keys === undefined) {
      keys = held.flatMap(({ id, material }) => (id === CONFIGURED ? configured : [hmacKey(material)]));
      prepared.set(held, keys);
    }
    return keys;
  });
}

function configuredKeys(secrets: readonly string[]): readonly KeyObject[] {
  if (secrets.length === 0) throw new Fault('internal', 'No key to sign cookies with is configured.');
  return secrets.map((secret) => hmacKey(Buffer.from(secret, 'utf8')));
}
