import type { Account as LibraryAccount } from 'oidc-provider';
import { CLAIMS_BY_SCOPE, claimsFor } from '../people/claims.ts';
import type { PersonProfile } from '../people/persons.ts';

/** A person as the protocol library wants one. */
export type Account = LibraryAccount;

/**
 * `findAccount`: undefined for a person who may not act now, so that refresh and userinfo end with a disabled account (F2).
 * Sealed columns are opened only for claims that go out: those of the granted scopes, and those asked for one by one. The ID
 * token carries no scope's claims (OpenID Connect Core 5.4: they are at userinfo). What the client's registration no longer allows goes
 * out no more, whatever was granted before (F6): `scopeAllowed` is its `scope` as it stands now.
 */
export function createFindAccount(
  profileOf: (personId: string) => Promise<PersonProfile | undefined>,
): (personId: string, scopeAllowed: string | undefined) => Promise<Account | undefined> {
  return async (personId, scopeAllowed) => {
    const person = await profileOf(personId);
    if (person?.status !== 'active') return undefined;
    return {
      accountId: personId,
      async claims(use, scope, claims) {
        const scopes = new Set(use === 'userinfo' ? scope.split(' ') : []);
        for (const claim of Object.keys(claims)) {
          const scopeOfClaim = SCOPE_OF_CLAIM.get(claim);
          if (scopeOfClaim !== undefined) scopes.add(scopeOfClaim);
        }
        return { ...claimsFor(scopes.intersection(new Set(scopeAllowed?.split(' '))), person), sub: personId };
      },
    };
  };
}

const SCOPE_OF_CLAIM: ReadonlyMap<string, string> = new Map(
  Object.entries(CLAIMS_BY_SCOPE).flatMap(([scope, claims]) => claims.map((claim) => [claim, scope] as const)),
);
