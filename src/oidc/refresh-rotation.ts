import type { RefreshToken } from 'oidc-provider';
import { createPersonTokens, type PersonTokenSources, type Redemption } from './person-tokens.ts';
import type { TokenGrant } from './token-endpoint.ts';

const GTY = 'refresh_token';

/**
 * A refresh token for its successor (RFC 6749 6, RFC 9700 4.14.2). Every one is spent by its use; that a lost answer may be asked for
 * again, and that whoever loses a race writes nothing, is settled by the adapter, by the ids of the successors and in the commit,
 * as for the library (adapter.ts, token-ids.ts, commit.ts).
 */
export function createRefreshRotation(sources: PersonTokenSources): TokenGrant {
  const { provider } = sources;
  const tokens = createPersonTokens(sources);

  const succeed = ({ client, presented, grantId }: Redemption<RefreshToken>): RefreshToken => {
    const { accountId, acr, amr, authTime, claims, expiresWithSession, iiat, nonce, rotations } = presented;
    const { scope = '', sessionUid, sid, gty = '' } = presented;
    return new provider.RefreshToken({
      ...{ accountId, acr, amr, authTime, claims, client, expiresWithSession, grantId, iiat, nonce },
      ...{ scope, sessionUid, sid },
      gty: gty.endsWith(GTY) ? gty : `${gty} ${GTY}`,
      rotations: (rotations ?? 0) + 1,
      // A family keeps the end its first token had: rotation never prolongs it (A7).
      expiresIn: Math.max(1, presented.remainingTTL),
    });
  };

  return {
    parameters: new Map([['refresh_token', /^rt_[\w-]{1,125}$/]]),
    async issue({ client, fields }, unit) {
      const { refresh_token: value } = fields;
      if (value === undefined) return undefined;
      const spent = await provider.RefreshToken.find(value, { ignoreExpiration: true });
      const redemption = await tokens.judge(client, spent);
      if (redemption === undefined || !spent?.gty) return undefined;

      unit.spending = { client, grantId: redemption.grantId, personId: spent.accountId, refreshToken: value };
      await spent.consume();
      const successor = succeed(redemption);
      await successor.save();
      const token = await tokens.issueAccess(redemption, successor.gty ?? GTY);
      const answer = {
        access_token: token.jti,
        expires_in: token.expiration,
        id_token: await tokens.issueId(redemption),
        refresh_token: successor.jti,
        scope: token.scope,
        token_type: token.tokenType,
      };
      return { token, answer };
    },
  };
}
