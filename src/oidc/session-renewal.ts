import type { Context } from 'koa';
import type { Provider } from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import type { Login } from '../sign-in/interactions.ts';
import { merged, methodsOf, proofsIn } from './proven-sessions.ts';
import { limitsOf, sessionCookie, sessionSeconds } from './provider.ts';

type SessionContext = Parameters<Provider['Session']['get']>[0];

/**
 * Gives the session of this browser a new id and the age of a proof just made, as the library does at a sign-in (E1). Its portals,
 * grants and tokens stay as they are. Written with the unit of work of this request. False when nobody is signed in here, or
 * somebody else than who has proven themselves.
 */
export async function renewSession(
  provider: Provider,
  ctx: Context,
  login: Login,
  { issuer, session: limits, staff }: Pick<Config, 'issuer' | 'session' | 'staff'>,
): Promise<boolean> {
  const session = await provider.Session.get(ctx as unknown as SessionContext);
  if (session.accountId !== login.personId) return false;
  const proofs = merged(proofsIn(session), login.proofs);
  session.loginAccount({ accountId: login.personId, loginTs: login.at, amr: methodsOf(proofs) });
  session.proven = { ...session.proven, of: login.personId, proofs };
  session.resetIdentifier();
  const lifetimeSeconds = sessionSeconds(limitsOf(session, { session: limits, staff }), login.at);
  await session.save(lifetimeSeconds);
  ctx.cookies.set(provider.cookieName('session'), session.jti, {
    ...sessionCookie(issuer.startsWith('https:')),
    expires: new Date((login.at + lifetimeSeconds) * 1000),
  });
  return true;
}
