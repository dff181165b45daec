import { randomState } from 'openid-client';
import { nowSeconds } from '../../src/shared/clock.ts';

/** What a portal remembers about one person signed in to it. */
export interface PortalSession {
  readonly sub: string;
  readonly sid: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly idToken: string;
}

/** One authorization request on its way: what must come back unchanged, and the browser it belongs to. */
export interface SignInAttempt {
  readonly browser: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

/**
 * A map in memory that cannot grow without end: entries expire after `lifetimeSeconds`, and above `entriesMax` the oldest
 * make room. A portal with more than one process would keep the same things in its database.
 */
export class BoundedStore<Entry> {
  readonly #entries = new Map<string, { readonly entry: Entry; readonly expiresAt: number }>();
  readonly #entriesMax: number;
  readonly #lifetimeSeconds: number;

  constructor(limits: { readonly entriesMax: number; readonly lifetimeSeconds: number }) {
    this.#entriesMax = limits.entriesMax;
    this.#lifetimeSeconds = limits.lifetimeSeconds;
  }

  /** Keeps `entry` under `key`, or under a fresh random key of 256 bits; returns the key. */
  keep(entry: Entry, key = randomState()): string {
    this.#entries.delete(key);
    for (const [oldest, { expiresAt }] of this.#entries) {
      if (expiresAt > nowSeconds() && this.#entries.size < this.#entriesMax) break;
      this.#entries.delete(oldest);
    }
    this.#entries.set(key, { entry, expiresAt: nowSeconds() + this.#lifetimeSeconds });
    return key;
  }

  find(key: string | undefined): Entry | undefined {
    const found = key === undefined ? undefined : this.#entries.get(key);
    return found !== undefined && found.expiresAt > nowSeconds() ? found.entry : undefined;
  }

  /** Finds and forgets in one step, so that an entry serves once. */
  take(key: string | undefined): Entry | undefined {
    const entry = this.find(key);
    if (key !== undefined) this.#entries.delete(key);
    return entry;
  }

  /** Forgets every entry that matches; returns how many. */
  forget(matches: (entry: Entry) => boolean): number {
    let count = 0;
    for (const [key, { entry }] of this.#entries) {
      if (matches(entry) && this.#entries.delete(key)) count += 1;
    }
    return count;
  }
}
