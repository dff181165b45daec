import type { BlindIndex, DocumentIdentity } from '../crypto/blind-index.ts';
import type { Database } from '../storage/database.ts';
import { oneOf } from '../storage/one-of.ts';
import type { RowGuard } from '../storage/row-guard.ts';
import { createFoundCopies, type FoundCopies } from './found-copies.ts';
import { FOUND_COLUMNS, type FoundPerson, type FoundRow, foundPersonOf } from './person.ts';

/** What somebody is found by: a document, or a name to sign in by. */
export type FoundBy = 'document' | 'identifier';

/** Who is meant at sign-in. On PostgreSQL the rows say so, judged like all others; SQLite has copies of what is asked for (found-copies.ts). */
export interface FoundPeople {
  /** Throws `Fault('row_altered')` where a row this comes from is not as this house wrote it. */
  find(by: FoundBy, identity: DocumentIdentity): Promise<FoundPerson | undefined>;
  /** On SQLite alone. There each find of somebody computes a keyed digest, over what was found: who is not found is to cost one as well (D9). */
  readonly copies: FoundCopies | undefined;
}

export interface FoundPeopleSources {
  readonly database: Database;
  readonly index: BlindIndex;
  readonly guard: RowGuard;
}

const BY_DOCUMENT = `SELECT ${FOUND_COLUMNS} FROM identity_documents f JOIN persons p ON p.id = f.person_id
  WHERE f.type = $1 AND f.issuer = $2 AND f.number_index `;
const BY_IDENTIFIER = `SELECT ${FOUND_COLUMNS} FROM sign_in_identifiers f JOIN persons p ON p.id = f.person_id
  WHERE f.type = $1 AND f.value_index `;

export function createFoundPeople({ database, index, guard }: FoundPeopleSources): FoundPeople {
  const byDocument = oneOf((list) => `${BY_DOCUMENT}${list}`, 3);
  const byIdentifier = oneOf((list) => `${BY_IDENTIFIER}${list}`, 2);
  const copies = database.engine === 'sqlite' ? createFoundCopies(database, guard) : undefined;

  const inRows = async (by: FoundBy, { type, issuer }: DocumentIdentity, digests: readonly string[]) => {
    const row = await (by === 'document'
      ? database.get<FoundRow>(byDocument(digests.length), [type, issuer, ...digests])
      : database.get<FoundRow>(byIdentifier(digests.length), [type, ...digests]));
    return row && foundPersonOf(row);
  };

  return {
    copies,
    async find(by, identity) {
      const digests = index.candidates(identity);
      const copied = copies === undefined ? 'unsealed' : await copies.find(digests);
      return copied === 'unsealed' ? inRows(by, identity, digests) : copied;
    },
  };
}
