import { type Client, errors, type Grant, type Account as LibraryAccount } from 'oidc-provider';
import { CLAIMS_BY_SCOPE, claimsFor, type PersonClaims, type PersonScope } from '../people/claims.ts';
import type { PersonProfile } from '../people/person.ts';
import type { Assurance } from './assurance.ts';
import type { Standing, Standings } from './standing.ts';

/** A person as the protocol library wants one. */
export type Account = LibraryAccount;

/** A code or a refresh token, with the level it was issued at and what had been proven (RFC 8176). */
export interface LevelBearer {
  acr?: string | undefined;
  readonly amr?: readonly string[] | undefined;
}

/**
 * `portal` is who asks, as registered now; `grant` gives what the request hangs on, as soon as it is known; `token` is what
 * is presented, where it carries a level: that is lowered to what holds today. Undefined for a person who may not act now, or no longer for whom the grant was made, or
 * whose identity is not proven well enough for the portal any more.
 */
export type FindAccount = (
  personId: string,
  portal: Client | undefined,
  grant?: () => Grant | undefined,
  token?: LevelBearer,
) => Promise<Account | undefined>;

export interface AccountSources {
  readonly profileOf: (personId: string) => Promise<PersonProfile | undefined>;
  readonly standings: Standings;
  readonly assurance: Pick<Assurance, 'stands'>;
  /** Whether a person's password is older than the house lets passwords become, at this kind of portal. */
  readonly passwordIsOutdated: (personId: string, at: { readonly asStaff: boolean }) => Promise<boolean>;
  /** Told before personal data goes out that a person would mind most: the scopes it belongs to. */
  readonly released: (personId: string, clientId: string | undefined, scopes: readonly string[]) => void;
}

const UNASKED = { acr: undefined };
/** A password, or a phone whose session may rest on one. */
const RESTS_ON_PASSWORD: ReadonlySet<string> = new Set(['pwd', 'mca']);

const SENSITIVE_SCOPES = ['id_number', 'phone', 'email', 'address'] as const satisfies readonly PersonScope[];

/** Whether anything of a scope is among the claims. */
const opens = (scope: PersonScope, told: PersonClaims): boolean =>
  CLAIMS_BY_SCOPE[scope].some((claim) => Object.hasOwn(told, claim));

/**
 * `findAccount`: undefined for a person who may not act now, so that refresh and userinfo end with a disabled account (F2).
 * Sealed columns are opened only for claims that go out: those of the granted scopes, and those asked for one by one. The ID
 * token carries no scope's claims (OpenID Connect Core 5.4: they are at userinfo). What the client's registration no longer allows goes
 * out no more, whatever was granted before (F6).
 */
export function createFindAccount(sources: AccountSources): FindAccount {
  const { profileOf, standings, assurance, passwordIsOutdated, released } = sources;
  return async (personId, portal, grantOf = () => undefined, token) => {
    const person = await profileOf(personId);
    if (person?.status !== 'active') return undefined;
    let looked: Promise<Standing | undefined> | undefined;
    /** Looked up once a request, as late as the endpoint allows: the token endpoint knows the grant now, userinfo does not yet. */
    const standing = (): Promise<Standing | undefined> => {
      const grant = grantOf();
      if (portal === undefined || grant === undefined) return Promise.resolve(undefined);
      looked ??= standings.of(grant, portal);
      return looked;
    };
    if ((await standing())?.state === 'ended') return undefined;
    // A portal is not kept in by a password that would let nobody in any more.
    const asStaff = portal?.staff_only === true;
    if (
      token?.amr?.some((method) => RESTS_ON_PASSWORD.has(method)) &&
      (await passwordIsOutdated(personId, { asStaff }))
    )
      return undefined;
    // Before a code it is the ladder that says what is missing; there is no grant yet.
    const left =
      portal === undefined || grantOf() === undefined ? UNASKED : assurance.stands(portal, person.ial, token?.acr);
    if (left === undefined) return undefined;
    // Whatever follows from the token takes its level over from here.
    if (token !== undefined && left.acr !== undefined) token.acr = left.acr;
    return {
      accountId: personId,
      ial: person.ial,
      async claims(use, scope, claims) {
        const scopes = new Set(use === 'userinfo' ? scope.split(' ') : []);
        for (const claim of Object.keys(claims)) {
          const scopeOfClaim = SCOPE_OF_CLAIM.get(claim);
          if (scopeOfClaim !== undefined) scopes.add(scopeOfClaim);
        }
        const open = scopes.intersection(new Set(portal?.scope?.split(' ')));
        const stands = await standing();
        if (stands?.state === 'ended') throw new errors.InvalidToken('what the token was issued for has ended');
        const acting = stands && portal ? standings.claims(stands, personId, portal, scope) : {};
        const told = claimsFor(open, person);
        // Somebody without a phone gave none away, and whoever came with a network number no number either.
        const sensitive = [...open].filter((name) => SENSITIVE_SCOPES.some((one) => one === name && opens(one, told)));
        if (sensitive.length > 0) released(personId, portal?.clientId, sensitive);
        return { ...told, ...acting, sub: personId };
      },
    };
  };
}

const SCOPE_OF_CLAIM: ReadonlyMap<string, string> = new Map(
  Object.entries(CLAIMS_BY_SCOPE).flatMap(([scope, claims]) => claims.map((claim) => [claim, scope] as const)),
);
