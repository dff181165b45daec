import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { equalInConstantTime } from '../crypto/digests.ts';
import { hmac } from '../crypto/hmac.ts';
import { nowSeconds } from '../shared/clock.ts';
import { randomToken } from '../shared/random.ts';
import { hostCookieName, readCookie, writeCookie } from './cookies.ts';

const BROWSER_COOKIE = 'browser';
const BROWSER_FORM = /^[A-Za-z0-9_-]{22}$/;
const TOKEN_FORM = /^([0-9a-z]{1,8})\.([A-Za-z0-9_-]{43})$/;
const LIFETIME_SECONDS_DEFAULT = 12 * 3600;

/** What a form token needs of a request: satisfied by a koa context. */
export interface BrowserContext {
  get(field: string): string;
  append(field: string, value: string): void;
}

export interface FormTokens {
  /** The random name of this browser, from its cookie; a browser without one is given one with this response. */
  browserOf(ctx: BrowserContext): string;
  /** The name the browser already has; undefined means that no form of ours was ever shown to it. */
  knownBrowserOf(ctx: Pick<BrowserContext, 'get'>): string | undefined;
  /** A token for the forms of one page. `purpose` is the interaction's uid or the page's name. */
  issue(browser: string, purpose: string): string;
  /** Whether the token was issued to this browser for this purpose and is not too old. Constant time over the digest. */
  accepts(token: string, browser: string | undefined, purpose: string): boolean;
}

/**
 * Tokens that tie a form to the browser it was shown to and to what it is for (E2). Nothing is stored: a token is its time of issue
 * and an HMAC over time, browser and purpose. `secret` is any secret of the house; the key is derived from it and kept as a
 * KeyObject, because an HMAC with a raw key is several times slower in Node.
 */
export function createFormTokens(options: {
  readonly secret: Uint8Array;
  readonly secure: boolean;
  readonly lifetimeSeconds?: number;
}): FormTokens {
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', options.secret, '', 'tongban form tokens v1', 32)));
  const lifetimeSeconds = options.lifetimeSeconds ?? LIFETIME_SECONDS_DEFAULT;
  const cookieName = hostCookieName(BROWSER_COOKIE, options.secure);
  /** Two parts of one page that ask must be given the same name. */
  const named = new WeakMap<BrowserContext, string>();

  const knownBrowserOf = (ctx: Pick<BrowserContext, 'get'>): string | undefined => {
    const value = readCookie(ctx.get('cookie'), cookieName);
    return value !== undefined && BROWSER_FORM.test(value) ? value : undefined;
  };

  return {
    knownBrowserOf,
    browserOf(ctx) {
      const known = knownBrowserOf(ctx) ?? named.get(ctx);
      if (known !== undefined) return known;
      const browser = randomToken(22);
      named.set(ctx, browser);
      ctx.append('Set-Cookie', writeCookie(BROWSER_COOKIE, browser, { secure: options.secure }));
      return browser;
    },
    issue(browser, purpose) {
      const time = nowSeconds().toString(36);
      return `${time}.${digest(key, time, browser, purpose)}`;
    },
    accepts(token, browser, purpose) {
      const [, time, mac] = TOKEN_FORM.exec(token) ?? [];
      if (browser === undefined || time === undefined || mac === undefined) return false;
      if (!equalInConstantTime(digest(key, time, browser, purpose), mac)) return false;
      const age = nowSeconds() - Number.parseInt(time, 36);
      return age >= 0 && age <= lifetimeSeconds;
    },
  };
}

/** Browser names have one length and no NUL, so the three parts cannot run into one another. */
const digest = (key: KeyObject, time: string, browser: string, purpose: string): string =>
  hmac('sha256', key, `${time}\0${browser}\0${purpose}`, 'base64url');

/**
 * Whether a POST was sent by a page of another site, judged by what browsers add and pages cannot forge (E2, ASVS 3.5.1). `origin`
 * is ours, as in the issuer. `Origin: null` alone proves nothing: our own `Referrer-Policy: no-referrer` makes browsers send it for
 * our own forms (Fetch standard, "append a request Origin header"), so there Sec-Fetch-Site decides, and the form token always does.
 */
export function isForeignPost(headers: IncomingHttpHeaders, origin: string): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  return headers.origin !== undefined && headers.origin !== 'null' && headers.origin !== origin;
}
