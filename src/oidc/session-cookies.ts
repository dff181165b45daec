import type { CookieKeys } from '../crypto/cookie-keys.ts';

/** The cookies of the protocol as the library writes them, letter for letter, for what answers in its place. */

const GONE = 'Thu, 01 Jan 1970 00:00:00 GMT';

export interface CookieBounds {
  readonly secure: boolean;
  /** Undefined for one that is taken back. */
  readonly endsAtMs: number | undefined;
}

/** The attributes of a cookie that lives as long as a ceremony, and reaches one address of it. */
export function shortCookie(path: string, { secure, endsAtMs }: CookieBounds): string {
  const expires = endsAtMs === undefined ? GONE : new Date(endsAtMs).toUTCString();
  return `; path=${path}; expires=${expires}; samesite=lax${secure ? '; secure' : ''}; httponly`;
}

/** A cookie and the one with its signature, as values of `Set-Cookie`. */
export function signedCookie(
  keys: Pick<CookieKeys, 'sign'>,
  name: string,
  value: string,
  attributes: string,
): readonly [string, string] {
  const pair = `${name}=${value}`;
  return [`${pair}${attributes}`, `${name}.sig=${keys.sign(pair)}${attributes}`];
}
