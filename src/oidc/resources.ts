import { type Client, type Configuration, errors, type Grant, type ResourceServer } from 'oidc-provider';
import { SM_JOSE } from '../crypto/jose/profile.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import type { OfferedApi, RelyingPartyRecord } from '../relying-parties/schema.ts';
import { STAND_IN_ALG } from './sm2-stand-in.ts';

type LoadGrant = NonNullable<Configuration['loadExistingGrant']>;

/**
 * A token that can be read without asking us cannot be called back either: that long it outlives a sign-out or the end of a
 * mandate, and no longer.
 */
const STRUCTURED_TOKEN_SECONDS_MAX = 300;

/** What a party offers as an API; undefined for all others. */
export const apiOf = (client: Client): OfferedApi | undefined => client.api as OfferedApi | undefined;

/**
 * The API behind a resource indicator (RFC 8707 2), for this portal. Throws `invalid_target` in one and the same way for an API that
 * does not exist and for one the operator has not opened to this portal.
 */
export function apiLookup(relyingParties: Pick<RelyingParties, 'find'>, accessTokenSeconds: number) {
  return async (identifier: string, client: Client): Promise<ResourceServer> => {
    for (const opened of (client.apis as RelyingPartyRecord['apis'] | undefined) ?? []) {
      const api = (await relyingParties.find(opened.client_id))?.record.api;
      if (api?.identifier !== identifier) continue;
      const scopes = api.scopes.filter((scope) => opened.scopes.includes(scope));
      return serverOf({ ...api, scopes }, accessTokenSeconds);
    }
    throw new errors.InvalidTarget('the client may not ask for tokens of this resource');
  };
}

const serverOf = (
  { identifier, scopes, token_format: format, token_signing_alg: alg }: OfferedApi,
  seconds: number,
): ResourceServer => ({
  scope: scopes.join(' '),
  audience: identifier,
  accessTokenFormat: format,
  accessTokenTTL: format === 'jwt' ? Math.min(seconds, STRUCTURED_TOKEN_SECONDS_MAX) : seconds,
  ...(format === 'jwt' ? { jwt: { sign: { alg: alg === SM_JOSE.signature ? STAND_IN_ALG : alg } } } : {}),
});

/**
 * Opens the scopes of the APIs asked for in the grant of this request. Which portal may call which API in a person's name is decided
 * by the operator who registers both; the person is asked about the portal.
 */
export const withApis =
  (load: LoadGrant): LoadGrant =>
  async (ctx) => {
    const grant = await load(ctx);
    const servers = Object.entries(ctx.oidc.resourceServers ?? {});
    if (grant === undefined || servers.length === 0) return grant;
    const opened = servers.filter(([identifier, { scopes }]) => {
      const missing = [...ctx.oidc.requestParamScopes].filter(
        (scope) => scopes.has(scope) && !isOpen(grant, identifier, scope),
      );
      if (missing.length > 0) grant.addResourceScope(identifier, missing.join(' '));
      return missing.length > 0;
    });
    if (opened.length > 0) await grant.save();
    return grant;
  };

const isOpen = (grant: Grant, identifier: string, scope: string): boolean =>
  grant.getResourceScopeEncountered(identifier).split(' ').includes(scope);
