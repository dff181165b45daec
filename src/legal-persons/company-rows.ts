import type { BlindIndex, DocumentIdentity } from '../crypto/blind-index.ts';
import type { Sealer } from '../crypto/sealing.ts';
import { type RowValues, rowShape } from '../storage/row-shape.ts';
import type { PostRole } from './posts.ts';
import { companyContext } from './sealed-company.ts';
import { categoryOf, type Uscc } from './uscc.ts';

/** The one description of how a legal person and a post are written, alone or by the thousand for a demonstration. */
export const COMPANY_ROW = rowShape('legal_persons', [
  'id',
  'uscc_index',
  'uscc_sealed',
  'name_sealed',
  'category',
  'status',
  'created_at',
  'updated_at',
]);

/** The keyed digest a code is found by. */
export const usccIndex = (index: BlindIndex, uscc: Uscc): string => index.of(usccIdentity(uscc));

/** A code as the blind index takes it; no document of a person has such a type. */
export const usccIdentity = (uscc: string): DocumentIdentity => ({ type: 'uscc', issuer: 'CN', number: uscc });

export const companyRow = (
  { sealer, index }: { readonly sealer: Sealer; readonly index: BlindIndex },
  { id, uscc, name, now }: { readonly id: string; readonly uscc: Uscc; readonly name: string; readonly now: number },
): RowValues => [
  id,
  usccIndex(index, uscc),
  sealer.seal(uscc, companyContext('uscc_sealed', id)),
  sealer.seal(name, companyContext('name_sealed', id)),
  categoryOf(uscc),
  'active',
  now,
  now,
];

export const POST_ROW = rowShape('legal_person_posts', [
  'id',
  'legal_person_id',
  'person_id',
  'role',
  'status',
  'cause',
  'appointed_by',
  'created_at',
  'updated_at',
]);

export interface NewPost {
  readonly id: string;
  readonly legalPersonId: string;
  readonly personId: string;
  readonly role: PostRole;
  readonly appointedBy: string;
  readonly now: number;
}

export const postRow = ({ id, legalPersonId, personId, role, appointedBy, now }: NewPost): RowValues => [
  id,
  legalPersonId,
  personId,
  role,
  'active',
  null,
  appointedBy,
  now,
  now,
];
