import type { AccessToken, AuthorizationCode, Client, Grant, Provider, RefreshToken } from 'oidc-provider';
import type { Account, FindAccount } from './accounts.ts';

export interface PersonTokenSources {
  readonly provider: Provider;
  /** The same function the library asks: undefined for a person who may not act now. */
  readonly findAccount: FindAccount;
}

/** What a portal hands in for tokens of a person. */
export type Redeemable = AuthorizationCode | RefreshToken;

/** A code or refresh token with what it stands on. */
export interface Redemption<Presented extends Redeemable> {
  readonly client: Client;
  readonly presented: Presented;
  readonly grantId: string;
  readonly grant: Grant;
  readonly account: Account;
}

export interface PersonTokens {
  /**
   * Everything the library asks of a code and a refresh token alike, in this very moment: issued to this client, not over, not spent,
   * hanging on a living grant of the same client and person, who may act, and for whom they said they would. Undefined where one
   * of it fails, and for what is not plain.
   */
  judge<Presented extends Redeemable>(
    client: Client,
    presented: Presented | undefined,
  ): Promise<Redemption<Presented> | undefined>;
  /** An access token for userinfo; stored with the unit of work. */
  issueAccess(redemption: Redemption<Redeemable>, gty: string): Promise<AccessToken>;
  /** What the ID token and both token types take over from the code of the sign-in, whatever has happened since. */
  issueId(redemption: Redemption<Redeemable>): Promise<string>;
}

/** The tokens of a person, made as the library makes them (OpenID Connect Core 3.1.3.3), from its own classes. */
export function createPersonTokens({ provider, findAccount }: PersonTokenSources): PersonTokens {
  return {
    async judge(client, presented) {
      if (presented === undefined || !isPlain(presented)) return undefined;
      const { clientId, accountId, grantId } = presented;
      if (clientId !== client.clientId || presented.isExpired || presented.consumed) return undefined;
      if (accountId === undefined || grantId === undefined) return undefined;
      // Asked so that the grant's own end is judged to the second, as the library does.
      const grant = await provider.Grant.find(grantId, { ignoreExpiration: true });
      if (grant === undefined || grant.isExpired) return undefined;
      if (grant.clientId !== clientId || grant.accountId !== accountId) return undefined;
      const account = await findAccount(accountId, client, () => grant, presented);
      return account && { client, presented, grantId, grant, account };
    },

    async issueAccess({ client, presented, grantId, grant, account }, gty) {
      const { expiresWithSession, sessionUid, sid, claims } = presented;
      const { accountId } = account;
      const token = new provider.AccessToken({ accountId, client, expiresWithSession, grantId, gty, sessionUid, sid });
      token.claims = claims;
      token.scope = grant.getOIDCScopeFiltered(presented.scopes);
      await token.save();
      return token;
    },

    async issueId({ client, presented, grant, account }) {
      const { acr, amr, authTime, nonce, sid, scope = '' } = presented;
      const rejected = grant.getRejectedOIDCClaims();
      const known = await account.claims('id_token', scope, {}, rejected);
      const claims = { ...known, sub: account.accountId, acr, amr, auth_time: authTime };
      const token = new provider.IdToken(claims, { client });
      // With an access token for userinfo beside it an ID token tells no more than `openid` opens (5.4).
      token.scope = 'openid';
      token.rejected = rejected;
      token.set('nonce', nonce);
      token.set('sid', sid);
      return token.issue({ use: 'idtoken' });
    },
  };
}

/** Of an ordinary sign-in: with an ID token, without claims asked for one by one, other resources, rich details or bound keys. */
const isPlain = (presented: Redeemable): boolean =>
  presented.scopes.has('openid') &&
  presented.resource === undefined &&
  presented.rar === undefined &&
  presented['x5t#S256'] === undefined &&
  presented.attestationJkt === undefined &&
  (presented.kind === 'RefreshToken' ? presented.jkt : presented.dpopJkt) === undefined &&
  Object.keys(presented.claims?.id_token ?? {}).length === 0 &&
  Object.keys(presented.claims?.userinfo ?? {}).length === 0;
