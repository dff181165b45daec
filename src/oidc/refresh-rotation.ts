import { nowSeconds } from '../shared/clock.ts';
import type { Database } from '../storage/database.ts';
import { type KeptToken, type MadeToken, secondsLeft } from './kept-tokens.ts';
import { createPersonTokens, type PersonTokenSources, type Redemption } from './person-tokens.ts';
import { sessionHolds } from './session-rows.ts';
import type { TokenGrant } from './token-endpoint.ts';

const GTY = 'refresh_token';

/**
 * A refresh token for its successor (RFC 6749 6, RFC 9700 4.14.2). Every one is spent by its use; that a lost answer may be asked for
 * again, and that whoever loses a race writes nothing, is settled by the adapter, by the ids of the successors and in the commit,
 * as for the library (adapter.ts, token-ids.ts, commit.ts).
 */
export function createRefreshRotation(sources: PersonTokenSources & { readonly database: Database }): TokenGrant {
  const { kept, database } = sources;
  const tokens = createPersonTokens(sources);

  const succeed = ({ client, presented, grantId }: Redemption, gty: string, spent: string): Promise<MadeToken> => {
    const { accountId, acr, amr, authTime, claims, expiresWithSession, iiat, nonce, rotations = 0 } = presented;
    const { iat, scope = '', sessionUid, sid } = presented;
    return kept.make(
      'RefreshToken',
      {
        ...{ accountId, acr, amr, authTime, claims, clientId: client.clientId, expiresWithSession, grantId },
        ...{ iiat: iiat ?? iat ?? nowSeconds(), nonce, scope, sessionUid, sid },
        gty,
        rotations: rotations + 1,
      },
      // A family keeps the end its first token had: rotation never prolongs it (A7).
      { lifetimeSeconds: Math.max(1, secondsLeft(presented)), spent },
    );
  };

  return {
    parameters: new Map([['refresh_token', /^rt_[\w-]{1,125}$/]]),
    async issue({ client, fields }, unit) {
      const { refresh_token: value } = fields;
      if (value === undefined) return undefined;
      const spent = await kept.find('RefreshToken', value);
      if (spent === undefined || !(await stands(spent))) return undefined;
      const redemption = await tokens.judge(client, spent);
      if (redemption === undefined || !spent.gty) return undefined;

      unit.spending = { client, grantId: redemption.grantId, personId: spent.accountId, refreshToken: value };
      await kept.consume('RefreshToken', value);
      const gty = spent.gty.endsWith(GTY) ? spent.gty : `${spent.gty} ${GTY}`;
      const successor = await succeed(redemption, gty, value);
      const access = await tokens.issueAccess(redemption, gty, value);
      const answer = {
        access_token: access.value,
        expires_in: access.lifetimeSeconds,
        id_token: await tokens.issueId(redemption),
        refresh_token: successor.value,
        scope: access.kept.scope,
        token_type: 'Bearer',
      };
      return { token: access.kept, answer };
    },
  };

  /** One that was given without access in absence ends with its session. */
  async function stands(token: KeptToken): Promise<boolean> {
    return token.expiresWithSession !== true || sessionHolds(database, token);
  }
}
