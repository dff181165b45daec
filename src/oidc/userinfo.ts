import type { IncomingMessage } from 'node:http';
import type { AccessToken, Client, Provider } from 'oidc-provider';
import type { FindAccount } from './accounts.ts';
import { answerShortly, type ShortWay, TOKEN_LENGTH_MAX, wantsMore } from './short-way.ts';

export interface UserinfoSources {
  readonly provider: Provider;
  /** The same function the library asks: undefined for a person who may not act now. */
  readonly findAccount: FindAccount;
}

/**
 * The short way of the userinfo endpoint (OpenID Connect Core 5.3): a bearer token of ours in the Authorization header (RFC 6750
 * 2.1), claims by scope, a JSON answer. Tokens, grants, clients, the account and the mask over its claims are the library's own
 * public classes and our own functions behind them. Claims asked for one by one go through the library.
 */
export function createUserinfo({ provider, findAccount }: UserinfoSources): ShortWay {
  return async (ctx) => {
    const bearer = bearerOf(ctx.req);
    if (bearer === undefined) return false;
    const token = await provider.AccessToken.find(bearer);
    if (token === undefined || !isPlain(token)) return false;
    const client = await provider.Client.find(token.clientId ?? '');
    if (client === undefined || !wantsJson(client)) return false;
    // Asked so that the grant's own end is judged to the second, as the library does.
    const grant = await provider.Grant.find(token.grantId, { ignoreExpiration: true });
    if (grant === undefined || grant.isExpired) return false;
    if (grant.clientId !== token.clientId || grant.accountId !== token.accountId) return false;
    const account = await findAccount(token.accountId, client, () => grant);
    if (account === undefined) return false;

    const rejected = grant.getRejectedOIDCClaims();
    const scope = grant.getOIDCScopeFiltered(token.scopes);
    const available = await account.claims('userinfo', scope, {}, rejected);
    const claims = new provider.Claims({ ...available, sub: account.accountId }, { client });
    claims.scope(scope);
    claims.rejected(rejected);
    return answerShortly(ctx, 'userinfo', 'DPoP-Nonce,WWW-Authenticate', await claims.result());
  };
}

const BEARER = /^bearer (at_[\w-]+)$/i;

/** The access token of a request that carries nothing else: no query, no body, no proof. */
function bearerOf(request: IncomingMessage): string | undefined {
  const { method, headers, url = '' } = request;
  if ((method !== 'GET' && method !== 'POST') || url.includes('?') || wantsMore(request)) return undefined;
  if (headers['content-type'] !== undefined || headers['transfer-encoding'] !== undefined) return undefined;
  if ((headers['content-length'] ?? '0') !== '0') return undefined;
  const token = BEARER.exec(headers.authorization ?? '')?.[1];
  return token !== undefined && token.length <= TOKEN_LENGTH_MAX ? token : undefined;
}

/** Neither bound to a key or certificate, nor made for another resource, nor with claims of its own. */
const isPlain = (token: AccessToken): boolean =>
  token.scopes.has('openid') &&
  !token.isSenderConstrained() &&
  token.aud === undefined &&
  Object.keys(token.claims?.userinfo ?? {}).length === 0;

const wantsJson = ({ userinfoSignedResponseAlg, userinfoEncryptedResponseAlg }: Client): boolean =>
  userinfoSignedResponseAlg === undefined && userinfoEncryptedResponseAlg === undefined;
