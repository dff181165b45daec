import type { Client, Provider } from 'oidc-provider';
import type { Ledger } from '../ledger/ledger.ts';
import { provenCaller } from './evidence.ts';
import { readPortalForm } from './portal-form.ts';
import { answerShortly, type ShortWay } from './short-way.ts';
import { currentUnit } from './unit-of-work.ts';

export interface ServiceTokenSources {
  readonly provider: Provider;
  readonly ledger: Ledger;
}

/**
 * The short way of the token endpoint for services (RFC 6749 4.4): a client that proves itself with its secret (portal-form.ts) is
 * registered for `client_credentials` and asks for no more scope than it is registered for. The token and its saving are the library's
 * own class and our adapter behind it; the ledger is told in the same commit, as of every token (evidence.ts).
 */
export function createServiceTokens({ provider, ledger }: ServiceTokenSources): ShortWay {
  return async (ctx) => {
    const form = await readPortalForm(ctx, provider, isKnown, GRANT_TYPE);
    const unit = currentUnit();
    if (form === undefined || unit === undefined || !mayAsk(form.client)) return false;
    const { client, fields } = form;
    const scope = scopeOf(client, fields.scope);
    if (fields.grant_type === undefined || scope === null) return false;

    const token = new provider.ClientCredentials({ client, scope });
    const value = await token.save();
    const details = { grantType: fields.grant_type, scopes: scope ?? '' };
    const caller = provenCaller(client, unit);
    unit.also((tx) => ledger.append(tx, { ...caller, correlation: unit.requestId, type: 'token.issued', details }));
    return answerShortly(ctx, 'token', 'DPoP-Nonce,WWW-Authenticate', {
      access_token: value,
      expires_in: token.expiration,
      ...(scope === undefined ? {} : { scope }),
      token_type: token.tokenType,
    });
  };
}

const GRANT_TYPE = 'client_credentials';

const isKnown = (name: string, value: string): boolean =>
  name === 'grant_type' ? value === GRANT_TYPE : name === 'scope' && SCOPE.test(value);

/** The syntax of RFC 6749 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

/** Tokens bound to keys or certificates are made by the library. */
const mayAsk = (client: Client): boolean =>
  client.grantTypeAllowed('client_credentials') &&
  !client.dpopBoundAccessTokens &&
  !client.tlsClientCertificateBoundAccessTokens;

/** The scope to be granted, each value once; null when the library must judge it, because one is not registered. */
function scopeOf(client: Client, asked: string | undefined): string | undefined | null {
  if (asked === undefined) return undefined;
  const registered = new Set(client.scope?.split(' '));
  const scopes = new Set(asked.split(' '));
  return scopes.isSubsetOf(registered) ? [...scopes].join(' ') : null;
}
