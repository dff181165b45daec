import { ageAt, todayInChina } from './documents/birth-date.ts';
import type { PersonProfile } from './person.ts';

/**
 * Which claims a scope opens. The first four are those of OpenID Connect Core 5.4; `id_number` holds the number itself and is
 * for portals approved for it; `identity` tells a portal enough to greet a person and to judge how well they are proven; `age`
 * answers the one question for which so many birth dates are handed out, and nothing else.
 */
export const CLAIMS_BY_SCOPE = {
  profile: ['name', 'gender', 'birthdate', 'updated_at'],
  phone: ['phone_number', 'phone_number_verified'],
  email: ['email', 'email_verified'],
  address: ['address'],
  id_number: ['id_number'],
  identity: ['name_masked', 'id_number_masked', 'id_type', 'ial'],
  age: ['age_over_18'],
} as const;

export type PersonScope = keyof typeof CLAIMS_BY_SCOPE;

export type PersonClaims = Readonly<Record<string, string | number | boolean | Readonly<Record<string, string>>>>;

const isPersonScope = (scope: string): scope is PersonScope => Object.hasOwn(CLAIMS_BY_SCOPE, scope);

/** Civil Code, article 17. */
const FULL_AGE_YEARS = 18;

const NONE: PersonClaims = {};

/** What is known of the claims given. What we do not know is left out, never sent as null or empty (OpenID Connect Core 5.3.2). */
const known = (claims: Readonly<Record<string, PersonClaims[string] | undefined>>): PersonClaims =>
  Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined)) as PersonClaims;

/** One function a scope. */
const CLAIMS_OF: Readonly<Record<PersonScope, (person: PersonProfile) => PersonClaims>> = {
  profile: ({ name, sex, birthDate, updatedAt }) =>
    known({ name, gender: sex, birthdate: birthDate, updated_at: updatedAt }),
  // Verified is only what is bound as a name to sign in by: anything else a portal must not take for more than a wish.
  phone: ({ phone, phoneVerified }) =>
    phone === undefined ? NONE : { phone_number: phone, phone_number_verified: phoneVerified },
  email: ({ email, emailVerified }) => (email === undefined ? NONE : { email, email_verified: emailVerified }),
  address: ({ address }) => (address === undefined ? NONE : { address: { formatted: address } }),
  // A network number is kept so that its person stays nameless: a portal asks for it by no scope of ours.
  id_number: ({ document }) => (document.type === 'net_number' ? NONE : { id_number: document.number }),
  identity: ({ maskedName, maskedNumber, document, ial }) =>
    known({ name_masked: maskedName, id_number_masked: maskedNumber, id_type: document.type, ial }),
  age: ({ birthDate }) =>
    birthDate === undefined ? NONE : { age_over_18: ageAt(birthDate, todayInChina()) >= FULL_AGE_YEARS },
};

/** The claims about a person that these scopes open. Scopes that are not about persons are passed over. Pure. */
export function claimsFor(scopes: Iterable<string>, person: PersonProfile): PersonClaims {
  const claims: Record<string, PersonClaims[string]> = {};
  for (const scope of scopes) {
    if (isPersonScope(scope)) Object.assign(claims, CLAIMS_OF[scope](person));
  }
  return claims;
}
