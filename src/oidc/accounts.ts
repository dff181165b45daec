import type { Account as LibraryAccount } from 'oidc-provider';

/** A person as the protocol library wants one. */
export type Account = LibraryAccount;

/** What the protocol room needs to know of a person; `claims` opens sealed columns, so it is called only when claims go out. */
export interface AccountSource {
  isActive(personId: string): Promise<boolean>;
  claims(personId: string): Promise<Readonly<Record<string, unknown>>>;
}

/** Scopes that open no personal column. */
const BARE_SCOPES = new Set(['openid', 'offline_access']);

/**
 * `findAccount`: undefined for a person who may not act now, so that refresh and userinfo end with a disabled account (F2).
 * The ID token carries no personal claims of its own unless they are asked for; the library filters by scope and consent.
 */
export function createFindAccount(source: AccountSource): (personId: string) => Promise<Account | undefined> {
  return async (personId) => {
    if (!(await source.isActive(personId))) return undefined;
    return {
      accountId: personId,
      async claims(use, scope, claims) {
        const byScope = use === 'userinfo' && scope.split(' ').some((name) => !BARE_SCOPES.has(name));
        if (!byScope && Object.keys(claims).length === 0) return { sub: personId };
        return { ...(await source.claims(personId)), sub: personId };
      },
    };
  };
}
