import type { Client } from 'oidc-provider';
import type { KeptTokens } from './kept-tokens.ts';
import type { TokenGrant } from './token-endpoint.ts';

/** The syntax of RFC 6749 3.3. */
export const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

/** A service acts for itself (RFC 6749 4.4) and asks for no more scope than it is registered for. */
export const createServiceTokens = (kept: KeptTokens, lifetimeSeconds: number): TokenGrant => ({
  parameters: new Map([['scope', SCOPE]]),
  async issue({ client, fields }) {
    const scope = scopeOf(client, fields.scope);
    if (scope === null) return undefined;
    const { clientId } = client;
    const token = await kept.make('ClientCredentials', { clientId, scope }, { lifetimeSeconds });
    const answer = {
      access_token: token.value,
      expires_in: lifetimeSeconds,
      ...(scope === undefined ? {} : { scope }),
      token_type: 'Bearer',
    };
    return { token: token.kept, answer };
  },
});

/** The scope to be granted, each value once; null when the library must judge it, because one is not registered. */
function scopeOf(client: Client, asked: string | undefined): string | undefined | null {
  if (asked === undefined) return undefined;
  const registered = new Set(client.scope?.split(' '));
  const scopes = new Set(asked.split(' '));
  return scopes.isSubsetOf(registered) ? [...scopes].join(' ') : null;
}
