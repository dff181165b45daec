const HEADER_LENGTH_MAX = 16_384;
const VALUE_FORM = /^[A-Za-z0-9._~-]{1,256}$/;

/**
 * The value of one cookie in a Cookie header, or undefined. Only values of the plain form we write ourselves count, and a name
 * sent twice counts as absent: two cookies of one name mean that somebody else planted one of them (E1, RFC 6265 section 8.6).
 */
export function readCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined || header.length > HEADER_LENGTH_MAX) return undefined;
  let found: string | undefined;
  for (const pair of header.split(';')) {
    const start = pair.indexOf('=');
    if (start < 0 || pair.slice(0, start).trim() !== name) continue;
    if (found !== undefined) return undefined;
    found = pair.slice(start + 1).trim();
  }
  return found !== undefined && VALUE_FORM.test(found) ? found : undefined;
}

export interface CookieOptions {
  /** True when the service is reached by https: adds Secure, which the `__Host-` prefix demands. */
  readonly secure: boolean;
  /** Without it the cookie ends with the browser. */
  readonly maxAgeSeconds?: number;
}

/** The name under which a cookie of the whole site is kept; `__Host-` stops subdomains from planting one (RFC 6265bis 4.1.3.2). */
export const hostCookieName = (name: string, secure: boolean): string => (secure ? `__Host-${name}` : name);

/** A Set-Cookie value for the whole site, unreadable by script. Throws a RangeError on a value that is not plain. */
export function writeCookie(name: string, value: string, { secure, maxAgeSeconds }: CookieOptions): string {
  if (!VALUE_FORM.test(value)) throw new RangeError(`not a plain cookie value for ${name}`);
  const age = maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`;
  return `${hostCookieName(name, secure)}=${value}; Path=/${age}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
}
