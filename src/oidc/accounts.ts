import type { Account as LibraryAccount } from 'oidc-provider';
import { CLAIMS_BY_SCOPE, claimsFor } from '../people/claims.ts';
import type { PersonProfile } from '../people/person.ts';

/** A person as the protocol library wants one. */
export type Account = LibraryAccount;

/** The portal that asks: its id, and its registered `scope` as it stands now. */
export interface AskingPortal {
  readonly clientId: string;
  readonly scope?: string | undefined;
}

export type FindAccount = (personId: string, portal: AskingPortal | undefined) => Promise<Account | undefined>;

export interface AccountSources {
  readonly profileOf: (personId: string) => Promise<PersonProfile | undefined>;
  /** Told before personal data goes out that a person would mind most: the scopes it belongs to. */
  readonly released: (personId: string, clientId: string | undefined, scopes: readonly string[]) => void;
}

const SENSITIVE_SCOPES: ReadonlySet<string> = new Set(['id_number', 'phone', 'email', 'address']);

/**
 * `findAccount`: undefined for a person who may not act now, so that refresh and userinfo end with a disabled account (F2).
 * Sealed columns are opened only for claims that go out: those of the granted scopes, and those asked for one by one. The ID
 * token carries no scope's claims (OpenID Connect Core 5.4: they are at userinfo). What the client's registration no longer allows goes
 * out no more, whatever was granted before (F6).
 */
export function createFindAccount({ profileOf, released }: AccountSources): FindAccount {
  return async (personId, portal) => {
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
        const open = scopes.intersection(new Set(portal?.scope?.split(' ')));
        const sensitive = [...open].filter((name) => SENSITIVE_SCOPES.has(name));
        if (sensitive.length > 0) released(personId, portal?.clientId, sensitive);
        return { ...claimsFor(open, person), sub: personId };
      },
    };
  };
}

const SCOPE_OF_CLAIM: ReadonlyMap<string, string> = new Map(
  Object.entries(CLAIMS_BY_SCOPE).flatMap(([scope, claims]) => claims.map((claim) => [claim, scope] as const)),
);
