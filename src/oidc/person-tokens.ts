import type { Client, Grant, Provider } from 'oidc-provider';
import { askAhead } from '../storage/read-ahead.ts';
import type { Account, FindAccount } from './accounts.ts';
import type { createIdTokens } from './id-tokens.ts';
import { isOver, type KeptToken, type KeptTokens, type MadeToken, scopesOf } from './kept-tokens.ts';

export interface PersonTokenSources {
  readonly provider: Provider;
  readonly kept: KeptTokens;
  readonly issueIdToken: ReturnType<typeof createIdTokens>;
  /** The same function the library asks: undefined for a person who may not act now. */
  readonly findAccount: FindAccount;
  readonly accessTokenSeconds: number;
  /** The look-ups of a person and their grant, to be begun before they are needed. */
  readonly lookAhead: (personId: string, grantId: string) => readonly (() => Promise<unknown>)[];
}

/** A code or refresh token, as a portal hands one in for tokens of a person, with what it stands on. */
export interface Redemption {
  readonly client: Client;
  readonly presented: KeptToken;
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
  judge(client: Client, presented: KeptToken | undefined): Promise<Redemption | undefined>;
  /** An access token for userinfo; stored with the unit of work. `spent` is the refresh token it was given for. */
  issueAccess(redemption: Redemption, gty: string, spent?: string): Promise<MadeToken>;
  /** What the ID token and both token types take over from the code of the sign-in, whatever has happened since. */
  issueId(redemption: Redemption): Promise<string>;
}

/** The tokens of a person, as the library makes them (OpenID Connect Core 3.1.3.3). */
export function createPersonTokens(sources: PersonTokenSources): PersonTokens {
  const { provider, kept, issueIdToken, findAccount, accessTokenSeconds, lookAhead } = sources;
  return {
    async judge(client, presented) {
      if (presented === undefined || !isPlain(presented)) return undefined;
      const { clientId, accountId, grantId } = presented;
      if (clientId !== client.clientId || isOver(presented) || presented.consumed) return undefined;
      if (accountId === undefined || grantId === undefined) return undefined;
      askAhead(lookAhead(accountId, grantId));
      // Asked so that the grant's own end is judged to the second, as the library does.
      const grant = await provider.Grant.find(grantId, { ignoreExpiration: true });
      if (grant === undefined || grant.isExpired) return undefined;
      if (grant.clientId !== clientId || grant.accountId !== accountId) return undefined;
      const account = await findAccount(accountId, client, () => grant, presented);
      return account && { client, presented, grantId, grant, account };
    },

    issueAccess({ client, presented, grantId, grant, account }, gty, spent) {
      const { expiresWithSession, sessionUid, sid, claims } = presented;
      const { accountId } = account;
      const { clientId } = client;
      const scope = grant.getOIDCScopeFiltered(scopesOf(presented));
      return kept.make(
        'AccessToken',
        { accountId, expiresWithSession, grantId, gty, sessionUid, sid, clientId, claims, scope },
        { lifetimeSeconds: accessTokenSeconds, spent },
      );
    },

    async issueId({ client, presented, grant, account }) {
      const { acr, amr, authTime, nonce, sid, scope = '' } = presented;
      const rejected = grant.getRejectedOIDCClaims();
      const known = await account.claims('id_token', scope, {}, rejected);
      const available = { ...known, sub: account.accountId, acr, amr, auth_time: authTime };
      return issueIdToken({ client, available, rejected, nonce, sid });
    },
  };
}

/** Of an ordinary sign-in: with an ID token, without claims asked for one by one, other resources, rich details or bound keys. */
const isPlain = (presented: KeptToken): boolean =>
  scopesOf(presented).has('openid') &&
  presented.resource === undefined &&
  presented.rar === undefined &&
  presented['x5t#S256'] === undefined &&
  presented.attestationJkt === undefined &&
  presented.jkt === undefined &&
  presented.dpopJkt === undefined &&
  Object.keys(presented.claims?.id_token ?? {}).length === 0 &&
  Object.keys(presented.claims?.userinfo ?? {}).length === 0;
