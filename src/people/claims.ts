import { maskIdNumber, maskName } from './masking.ts';
import { type PersonProfile, RESIDENT_ID_CARD } from './persons.ts';

/**
 * Which claims a scope opens. The first four are those of OpenID Connect Core 5.4; `id_number` holds the number itself and is
 * for portals approved for it; `identity` tells a portal enough to greet a person and to judge how well they are proven.
 */
export const CLAIMS_BY_SCOPE = {
  profile: ['name', 'gender', 'birthdate', 'updated_at'],
  phone: ['phone_number', 'phone_number_verified'],
  email: ['email', 'email_verified'],
  address: ['address'],
  id_number: ['id_number'],
  identity: ['name_masked', 'id_number_masked', 'id_type', 'ial'],
} as const;

export type PersonScope = keyof typeof CLAIMS_BY_SCOPE;

export type PersonClaims = Readonly<Record<string, string | number | boolean | Readonly<Record<string, string>>>>;

const isPersonScope = (scope: string): scope is PersonScope => Object.hasOwn(CLAIMS_BY_SCOPE, scope);

const NONE: PersonClaims = {};

/** One function a scope. What we do not know is left out, never sent as null or empty (OpenID Connect Core 5.3.2). */
const CLAIMS_OF: Readonly<Record<PersonScope, (person: PersonProfile) => PersonClaims>> = {
  profile: ({ name, sex, birthDate, updatedAt }) => ({
    name,
    gender: sex,
    birthdate: birthDate,
    updated_at: updatedAt,
  }),
  // Nobody has proven yet that the number or the mailbox answers: a portal must not take it for more than a wish.
  phone: ({ phone }) => (phone === undefined ? NONE : { phone_number: phone, phone_number_verified: false }),
  email: ({ email }) => (email === undefined ? NONE : { email, email_verified: false }),
  address: ({ address }) => (address === undefined ? NONE : { address: { formatted: address } }),
  id_number: ({ idNumber }) => ({ id_number: idNumber }),
  identity: ({ name, idNumber, ial }) => ({
    name_masked: maskName(name),
    id_number_masked: maskIdNumber(idNumber),
    id_type: RESIDENT_ID_CARD.type,
    ial,
  }),
};

/** The claims about a person that these scopes open. Scopes that are not about persons are passed over. Pure. */
export function claimsFor(scopes: Iterable<string>, person: PersonProfile): PersonClaims {
  const claims: Record<string, PersonClaims[string]> = {};
  for (const scope of scopes) {
    if (isPersonScope(scope)) Object.assign(claims, CLAIMS_OF[scope](person));
  }
  return claims;
}
