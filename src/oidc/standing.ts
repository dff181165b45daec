import type { AccessToken, Client, ClientCredentials, Grant, KoaContextWithOIDC } from 'oidc-provider';
import type { Acting, ActingSubject } from '../legal-persons/acting.ts';
import { isAccepted, SELF } from '../legal-persons/choice.ts';
import { acceptedBy } from './accepted.ts';
import { actingClaims } from './acting-claims.ts';
import { markOf } from './grant-mark.ts';

/** Whether what a grant was made for still holds, in this very moment. */
export type Standing =
  | { readonly state: 'stands'; readonly subject?: ActingSubject }
  /** The mandate or post ended, or the portal accepts such subjects no more: whatever hangs on the grant is worth nothing. */
  | { readonly state: 'ended' };

export interface Standings {
  /** Costs nothing for a person who acts for themselves. */
  of(grant: Grant, client: Client): Promise<Standing>;
  /** The claims a token of this grant carries besides the person's own; `scope` is what it was granted. Undefined once ended. */
  claimsOf(grant: Grant, client: Client, scope: string): Promise<Record<string, unknown> | undefined>;
  /** The claims of a standing that was looked up already. */
  claims(standing: Standing, personId: string, client: Client, scope: string): Record<string, unknown>;
}

const STANDS: Standing = { state: 'stands' };
const ENDED: Standing = { state: 'ended' };
const NONE: Readonly<Record<string, unknown>> = {};

export interface StandingSources {
  readonly acting: Acting;
  /** An id as a portal's sector knows it. */
  readonly pairwiseSub: (id: string, sector: string) => string;
}

export function createStandings({ acting, pairwiseSub }: StandingSources): Standings {
  const idFor =
    ({ subjectType, sector, clientId }: Client) =>
    (id: string): string =>
      subjectType === 'pairwise' ? pairwiseSub(id, String(sector ?? clientId)) : id;

  const of: Standings['of'] = async (grant, client) => {
    const accepted = acceptedBy(client);
    const actingAs = markOf(grant)?.actingAs ?? SELF;
    if (actingAs === SELF) return isAccepted(accepted, undefined) ? STANDS : ENDED;
    const subject = await acting.find(grant.accountId ?? '', client.clientId, actingAs);
    return subject !== undefined && isAccepted(accepted, subject) ? { state: 'stands', subject } : ENDED;
  };

  const claims: Standings['claims'] = (standing, personId, client, scope) => {
    if (standing.state === 'ended' || standing.subject === undefined) return NONE;
    const withName = [scope, client.scope ?? ''].every((scopes) => scopes.split(' ').includes('profile'));
    return actingClaims({ subject: standing.subject, personId, idFor: idFor(client), withName });
  };

  return {
    of,
    claims,
    async claimsOf(grant, client, scope) {
      const standing = await of(grant, client);
      return standing.state === 'ended' ? undefined : claims(standing, grant.accountId ?? '', client, scope);
    },
  };
}

/**
 * A token for an API says at which level and when its person signed in, so that the API may ask for more (RFC 9470 4, RFC 9068 2.2.1).
 * One that can be read without asking us says itself for whom its person acts; of all others that is not kept with the token: whoever
 * asks is told what holds then.
 */
export async function claimsOfApiToken(
  standings: Standings,
  ctx: KoaContextWithOIDC | undefined,
  token: AccessToken | ClientCredentials,
): Promise<Record<string, unknown> | undefined> {
  // A token made on a short way is never of this kind, and has no context of the library's.
  if (ctx === undefined || token.resourceServer === undefined || token.kind === 'ClientCredentials') return undefined;
  const { Grant: grant, Client: client, AuthorizationCode: code, RefreshToken: refreshed } = ctx.oidc.entities;
  const { acr, authTime } = code ?? refreshed ?? {};
  const signedIn = {
    ...(acr === undefined ? {} : { acr }),
    ...(authTime === undefined ? {} : { auth_time: authTime }),
  };
  if (token.resourceServer.accessTokenFormat !== 'jwt') return signedIn;
  if (grant === undefined || client === undefined) return undefined;
  const acting = await standings.claimsOf(grant, client, token.scope ?? '');
  return acting && { ...signedIn, ...acting };
}
