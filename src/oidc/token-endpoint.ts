import type { Client, Provider } from 'oidc-provider';
import type { Ledger } from '../ledger/ledger.ts';
import { type IssuedToken, tokenIssued } from './evidence.ts';
import { type KnownField, type PortalForm, readPortalForm } from './portal-form.ts';
import { answerShortly, type ShortWay } from './short-way.ts';
import { currentUnit, type UnitOfWork } from './unit-of-work.ts';

/** What a grant gives: the token the ledger is told of, and the answer in the library's order (RFC 6749 5.1). */
export interface Issued {
  readonly token: IssuedToken;
  readonly answer: Readonly<Record<string, unknown>>;
}

/** One grant type on its short way. */
export interface TokenGrant {
  /** The parameters it knows, `grant_type` aside, with what they may hold. */
  readonly parameters: ReadonlyMap<string, RegExp>;
  /** Undefined, with nothing changed, for everything but the ordinary request. */
  issue(form: PortalForm, unit: UnitOfWork): Promise<Issued | undefined>;
}

export type TokenGrants = Readonly<Record<'authorization_code' | 'client_credentials' | 'refresh_token', TokenGrant>>;

export interface TokenEndpointSources {
  readonly provider: Provider;
  readonly ledger: Ledger;
  readonly grants: TokenGrants;
}

/**
 * The short way of the token endpoint (RFC 6749 3.2): a client that proves itself with its secret (portal-form.ts) and is registered for
 * the grant type. Tokens are kept in the library's form by our adapter (kept-tokens.ts); the ledger is told in the same commit, as of every
 * token (evidence.ts).
 */
export function createTokenEndpoint({ provider, ledger, grants }: TokenEndpointSources): ShortWay {
  const isKnown: KnownField = (name, value, { grant_type: grantType }) =>
    isGrantType(grantType) && (name === 'grant_type' || (grants[grantType].parameters.get(name)?.test(value) ?? false));
  const isGrantType = (name: unknown): name is keyof TokenGrants =>
    typeof name === 'string' && Object.hasOwn(grants, name);

  return async (ctx) => {
    const form = await readPortalForm(ctx, provider, isKnown);
    const unit = currentUnit();
    const grantType = form?.fields.grant_type;
    if (form === undefined || unit === undefined || !isGrantType(grantType)) return false;
    if (!mayAsk(form.client, grantType)) return false;
    const issued = await grants[grantType].issue(form, unit);
    if (issued === undefined) return false;
    const event = tokenIssued(form.client, unit, grantType, issued.token);
    unit.also((tx) => ledger.append(tx, event));
    return answerShortly(ctx, 'token', 'DPoP-Nonce,WWW-Authenticate', issued.answer);
  };
}

/** Tokens bound to keys or certificates are made by the library. */
const mayAsk = (client: Client, grantType: string): boolean =>
  client.grantTypeAllowed(grantType) && !client.dpopBoundAccessTokens && !client.tlsClientCertificateBoundAccessTokens;
