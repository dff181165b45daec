import type { BlindIndex } from '../crypto/blind-index.ts';
import { createIndexWalk } from '../crypto/reindexing.ts';
import type { Sealer } from '../crypto/sealing.ts';
import type { SecretRing } from '../crypto/secret-ring.ts';
import type { Database } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import type { RowWalk } from '../storage/row-walk.ts';
import type { IdentifierType } from './identifiers/identifier.ts';
import { numberContext, type PersonColumn, personContext } from './person.ts';

export interface ReindexingSources {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ring: SecretRing;
}

interface DocumentRow {
  readonly id: string;
  readonly type: string;
  readonly issuer: string;
  readonly number_index: string;
  readonly number_sealed: Uint8Array;
}

interface IdentifierRow {
  readonly id: string;
  /** Null for somebody who signs in by documents alone. */
  readonly type: IdentifierType | null;
  readonly value_index: string;
  readonly phone_sealed: Uint8Array | null;
  readonly email_sealed: Uint8Array | null;
  readonly user_name_sealed: Uint8Array | null;
}

const DOCUMENTS = `SELECT ${UNJUDGED} id, type, issuer, number_index, number_sealed FROM identity_documents WHERE id > $1
  ORDER BY id LIMIT $2`;
/** So many people, with what they sign in by. */
const IDENTIFIERS = `SELECT ${UNJUDGED} p.id, i.type, i.value_index, p.phone_sealed, p.email_sealed, p.user_name_sealed
  FROM (SELECT id, phone_sealed, email_sealed, user_name_sealed FROM persons WHERE id > $1 ORDER BY id LIMIT $2) p
  LEFT JOIN sign_in_identifiers i ON i.person_id = p.id ORDER BY p.id`;
const COLUMNS = {
  phone: 'phone_sealed',
  email: 'email_sealed',
  user_name: 'user_name_sealed',
} as const satisfies Record<IdentifierType, PersonColumn>;

/** What people are found by: their documents, with the invitations and drafts that name them, and what they sign in by. */
export function peopleIndexWalks({ database, sealer, index, ring }: ReindexingSources): readonly RowWalk[] {
  const shared = { database, index, ring };
  return [
    createIndexWalk({
      ...shared,
      name: 'document-index',
      table: 'identity_documents',
      family: 'document',
      async read(after, rowsMax) {
        const rows = await database.all<DocumentRow>(DOCUMENTS, [after, rowsMax]);
        return {
          last: rows.length < rowsMax ? undefined : rows.at(-1)!.id,
          handled: rows.length,
          values: rows.map(({ id, type, issuer, number_index: digest, number_sealed: sealed }) => ({
            digest,
            document: () => ({ type, issuer, number: sealer.unseal(sealed, numberContext(id)) }),
          })),
        };
      },
    }),
    createIndexWalk({
      ...shared,
      name: 'identifier-index',
      table: 'persons',
      family: 'identifier',
      async read(after, rowsMax) {
        const rows = await database.all<IdentifierRow>(IDENTIFIERS, [after, rowsMax]);
        const people = new Set(rows.map(({ id }) => id));
        return {
          last: people.size < rowsMax ? undefined : rows.at(-1)!.id,
          handled: people.size,
          values: rows.flatMap((row) =>
            row.type === null
              ? []
              : [{ digest: row.value_index, document: () => identifierOf(sealer, row, row.type!) }],
          ),
        };
      },
    }),
  ];
}

function identifierOf(sealer: Sealer, row: IdentifierRow, type: IdentifierType) {
  const column = COLUMNS[type];
  const sealed = row[column];
  return sealed === null
    ? undefined
    : { type, issuer: '', number: sealer.unseal(sealed, personContext(column, row.id)) };
}
