import type { BlindIndex } from '../crypto/blind-index.ts';
import type { Sealer } from '../crypto/sealing.ts';
import { type RowValues, rowShape } from '../storage/row-shape.ts';
import type { NewDocument } from './held-documents.ts';
import { indexedAs, type SignInIdentifier } from './identifiers/identifier.ts';
import { numberContext, type Person, type PersonColumn, personContext } from './person.ts';
import type { PersonDetails } from './person-details.ts';

/*
 * The one description of what is written about a person: accounts that are opened one by one and those that are made by the million for
 * a demonstration are the same rows.
 */

export const PERSON_ROW = rowShape('persons', [
  'id',
  'status',
  'ial',
  'name_sealed',
  'phone_sealed',
  'email_sealed',
  'address_sealed',
  'phone_verified_at',
  'created_at',
  'updated_at',
]);

/** `phoneVerifiedAt` only beside a row of `IDENTIFIER_ROW` for the same phone. */
export function personRow(
  sealer: Sealer,
  { id, status, ial, updatedAt }: Person,
  details: Partial<PersonDetails> & { readonly phoneVerifiedAt?: number },
): RowValues {
  const sealed = (column: PersonColumn, value: string | undefined) =>
    value === undefined ? null : sealer.seal(value, personContext(column, id));
  return [
    id,
    status,
    ial,
    sealed('name_sealed', details.name),
    sealed('phone_sealed', details.phone),
    sealed('email_sealed', details.email),
    sealed('address_sealed', details.address),
    details.phoneVerifiedAt ?? null,
    updatedAt,
    updatedAt,
  ];
}

export const DOCUMENT_ROW = rowShape('identity_documents', [
  'id',
  'person_id',
  'type',
  'issuer',
  'number_index',
  'number_sealed',
  'verified_source',
  'created_at',
  'valid_from',
  'valid_to',
  'verified_level',
  'verified_at',
  'is_primary',
]);

/** Exactly one document of a person is `primary`. `numberIndex` is what the blind index says of the document. */
export function documentRow(
  sealer: Sealer,
  { document, proof, validFrom, validTo }: NewDocument,
  place: {
    readonly id: string;
    readonly personId: string;
    readonly numberIndex: string;
    readonly now: number;
    readonly primary: boolean;
  },
): RowValues {
  const { id, personId, numberIndex, now, primary } = place;
  return [
    id,
    personId,
    document.type,
    document.issuer,
    numberIndex,
    sealer.seal(document.number, numberContext(id)),
    proof.source ?? null,
    now,
    validFrom ?? null,
    validTo ?? null,
    proof.level,
    proof.at ?? (proof.source === undefined ? null : now),
    primary ? 1 : 0,
  ];
}

export const IDENTIFIER_ROW = rowShape('sign_in_identifiers', [
  'type',
  'value_index',
  'person_id',
  'verified_by',
  'bound_at',
]);

/** What an identifier is found by. */
export const identifierIndex = (index: BlindIndex, identifier: SignInIdentifier): string =>
  index.of(indexedAs(identifier));
