import type { Context } from 'koa';
import type { TrustedDevices } from '../people/trusted-devices.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Transaction } from '../storage/database.ts';
import { hostCookieName, readCookie, writeCookie } from '../web/cookies.ts';
import type { Proof } from './levels.ts';

/** Beside `device`, by which a browser keeps its allowance of attempts: that one is given to everybody, this one is asked for. */
const COOKIE = 'trusted';

export interface TrustSources {
  readonly trustedDevices: Pick<TrustedDevices, 'find' | 'trust' | 'revokeAllIn'>;
  readonly secure: boolean;
}

/** What a trusted browser adds to the proofs of its person: nothing that counts, but a question that need not be put. */
export async function sparedBy(
  ctx: Context,
  { trustedDevices, secure }: TrustSources,
  personId: string,
): Promise<readonly Proof[]> {
  const secret = readCookie(ctx.get('cookie'), hostCookieName(COOKIE, secure));
  const device = await trustedDevices.find(personId, secret);
  return device === undefined ? [] : [{ factor: 'trusted_device', strength: 'spared', amr: [], at: nowSeconds() }];
}

/** Trusts this browser from now on, if what it returns is written. */
export function trustBrowser(
  ctx: Context,
  { trustedDevices, secure }: TrustSources,
  personId: string,
): (tx: Transaction) => Promise<void> {
  const { secret, lifetimeSeconds, write } = trustedDevices.trust(personId, {
    address: ctx.ip,
    userAgent: ctx.get('user-agent'),
    correlation: String(ctx.state.requestId),
  });
  ctx.append('set-cookie', writeCookie(COOKIE, secret, { secure, maxAgeSeconds: lifetimeSeconds }));
  return write;
}
