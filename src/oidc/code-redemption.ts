import { hash } from 'node:crypto';
import type { AuthorizationCode } from 'oidc-provider';
import { equalInConstantTime } from '../crypto/digests.ts';
import type { Database } from '../storage/database.ts';
import { createPersonTokens, type PersonTokenSources, type Redemption } from './person-tokens.ts';
import { issuesRefreshToken } from './provider.ts';
import { sessionHolds } from './session-rows.ts';
import type { TokenGrant } from './token-endpoint.ts';

const GTY = 'authorization_code';

/** Judged here to the second, and bound to its session by one look at the row instead of a session made out of it. */
const AS_IT_STANDS = { ignoreExpiration: true, ignoreSessionBinding: true };

/** RFC 7636 4.1. */
const VERIFIER = /^[\w.~-]{43,128}$/;

/** A code for its tokens (RFC 6749 4.1.3), with the verifier of its challenge and the address it was sent to. */
export function createCodeRedemption(sources: PersonTokenSources & { readonly database: Database }): TokenGrant {
  const { provider, database } = sources;
  const tokens = createPersonTokens(sources);

  const saveRefreshToken = ({ client, presented, grantId }: Redemption<AuthorizationCode>): Promise<string> => {
    const { acr, amr, authTime, claims, expiresWithSession, nonce, sessionUid, sid } = presented;
    const { accountId = '', scope = '' } = presented;
    const lasting = { acr, amr, authTime, claims, expiresWithSession, nonce, sessionUid, sid };
    return new provider.RefreshToken({ accountId, client, grantId, gty: GTY, rotations: 0, scope, ...lasting }).save();
  };

  return {
    parameters: new Map([
      ['code', /^co_[\w-]{1,125}$/],
      ['redirect_uri', /./],
      ['code_verifier', VERIFIER],
    ]),
    async issue({ client, fields }, unit) {
      const { code: presented, redirect_uri: redirectUri, code_verifier: verifier } = fields;
      if (presented === undefined || redirectUri === undefined || verifier === undefined) return undefined;
      const code = await provider.AuthorizationCode.find(presented, AS_IT_STANDS);
      if (code === undefined || code.redirectUri !== redirectUri || !answers(code, verifier)) return undefined;
      if (code.expiresWithSession === true && !(await sessionHolds(database, code))) return undefined;
      const redemption = await tokens.judge(client, code);
      if (redemption === undefined) return undefined;

      unit.spending = { client, grantId: redemption.grantId, personId: code.accountId };
      await code.consume();
      const token = await tokens.issueAccess(redemption, GTY);
      const refreshToken = issuesRefreshToken(client, code) ? await saveRefreshToken(redemption) : undefined;
      const answer = {
        access_token: token.jti,
        expires_in: token.expiration,
        id_token: await tokens.issueId(redemption),
        ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
        scope: token.scope,
        token_type: token.tokenType,
      };
      return { token, answer };
    },
  };
}

/** Whether the verifier is the one whose digest the authorization request carried (RFC 7636 4.6). */
const answers = ({ codeChallenge, codeChallengeMethod }: AuthorizationCode, verifier: string): boolean =>
  codeChallengeMethod === 'S256' &&
  codeChallenge !== undefined &&
  equalInConstantTime(codeChallenge, hash('sha256', verifier, 'base64url'));
