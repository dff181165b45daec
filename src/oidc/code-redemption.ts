import { hash } from 'node:crypto';
import { equalInConstantTime } from '../crypto/digests.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database } from '../storage/database.ts';
import { type KeptToken, type MadeToken, scopesOf } from './kept-tokens.ts';
import { createPersonTokens, type PersonTokenSources, type Redemption } from './person-tokens.ts';
import { issuesRefreshToken } from './provider.ts';
import { sessionHolds } from './session-rows.ts';
import type { TokenGrant } from './token-endpoint.ts';

const GTY = 'authorization_code';

/** RFC 7636 4.1. */
const VERIFIER = /^[\w.~-]{43,128}$/;

export interface CodeRedemptionSources extends PersonTokenSources {
  readonly database: Database;
  readonly refreshTokenSeconds: number;
}

/**
 * A code for its tokens (RFC 6749 4.1.3), with the verifier of its challenge and the address it was sent to. It is bound to its session by one
 * look at the row.
 */
export function createCodeRedemption(sources: CodeRedemptionSources): TokenGrant {
  const { kept, database, refreshTokenSeconds } = sources;
  const tokens = createPersonTokens(sources);

  const makeRefreshToken = ({ client, presented, grantId }: Redemption): Promise<MadeToken> => {
    const { accountId, acr, amr, authTime, claims, expiresWithSession, nonce, sessionUid, sid } = presented;
    const { scope = '' } = presented;
    const { clientId } = client;
    const lasting = { acr, amr, authTime, claims, expiresWithSession, nonce, sessionUid, sid };
    return kept.make(
      'RefreshToken',
      { accountId, grantId, gty: GTY, rotations: 0, scope, ...lasting, clientId, iiat: nowSeconds() },
      { lifetimeSeconds: refreshTokenSeconds },
    );
  };

  return {
    parameters: new Map([
      ['code', /^co_[\w.-]{1,1200}$/],
      ['redirect_uri', /./],
      ['code_verifier', VERIFIER],
    ]),
    async issue({ client, fields }, unit) {
      const { code: presented, redirect_uri: redirectUri, code_verifier: verifier } = fields;
      if (presented === undefined || redirectUri === undefined || verifier === undefined) return undefined;
      const code = await kept.find('AuthorizationCode', presented);
      if (code === undefined || code.redirectUri !== redirectUri || !answers(code, verifier)) return undefined;
      const [isHeld, redemption] = await Promise.all([
        code.expiresWithSession !== true || sessionHolds(database, code),
        tokens.judge(client, code),
      ]);
      if (!isHeld || redemption === undefined) return undefined;

      unit.spending = { client, grantId: redemption.grantId, personId: code.accountId };
      await kept.consume('AuthorizationCode', presented);
      const access = await tokens.issueAccess(redemption, GTY);
      const mayRefresh = issuesRefreshToken(client, { scopes: scopesOf(code) });
      const refresh = mayRefresh ? await makeRefreshToken(redemption) : undefined;
      const answer = {
        access_token: access.value,
        expires_in: access.lifetimeSeconds,
        id_token: await tokens.issueId(redemption),
        ...(refresh === undefined ? {} : { refresh_token: refresh.value }),
        scope: access.kept.scope,
        token_type: 'Bearer',
      };
      return { token: access.kept, answer };
    },
  };
}

/** Whether the verifier is the one whose digest the authorization request carried (RFC 7636 4.6). */
const answers = ({ codeChallenge, codeChallengeMethod }: KeptToken, verifier: string): boolean =>
  codeChallengeMethod === 'S256' &&
  codeChallenge !== undefined &&
  equalInConstantTime(codeChallenge, hash('sha256', verifier, 'base64url'));
