import type { BlindIndex, DocumentIdentity } from '../crypto/blind-index.ts';
import { unlessAltered } from '../shared/fault.ts';
import type { Database, SqlValue, Transaction } from '../storage/database.ts';
import { FOUND_PEOPLE } from '../storage/guarded-tables.ts';
import { oneOf } from '../storage/one-of.ts';
import { placeOf, type RowGuard } from '../storage/row-guard.ts';
import { type FoundPerson, type FoundRow, foundPersonOf } from './person.ts';

/** What somebody is found by: a document, or a name to sign in by. */
export type FoundBy = 'document' | 'identifier';

/**
 * Who is meant at sign-in. On PostgreSQL the rows say so, judged like all others. SQLite has a copy of what is asked for, one row a digest,
 * which triggers keep true (migration 22): one walk instead of four, and one seal instead of two. A copy is believed under a seal of this
 * house alone; whatever changes of what it was made of takes the seal away, and until there is a new one the rows are asked.
 */
export interface FoundPeople {
  /** Throws `Fault('row_altered')` where a row this comes from is not as this house wrote it. */
  find(by: FoundBy, identity: DocumentIdentity): Promise<FoundPerson | undefined>;
  /** Whether each find of somebody computes a keyed digest, over what was found: who is not found is to cost one as well (D9). */
  readonly judgesEach: boolean;
  /** Seals so many copies that have none, the first behind `after`, and resolves with the last one looked at; undefined at the end. */
  sealSome(after: string, rowsMax: number): Promise<string | undefined>;
  /** Seals copies of rows that this very transaction has made; one that says anything else stays without a seal. */
  sealMade(tx: Transaction, made: readonly MadeCopy[]): void;
  /** Reads so many copies behind `after`, without a look at what they say; resolves as `sealSome` does. */
  walkSome(after: string, rowsMax: number): Promise<string | undefined>;
  /** To be told of copies without a seal that somebody asked for. */
  onUnsealed(listener: () => void): void;
}

/** Who is found by a digest. */
export interface MadeCopy {
  readonly digest: string;
  readonly person: FoundPerson;
}

export interface FoundPeopleSources {
  readonly database: Database;
  readonly index: BlindIndex;
  readonly guard: RowGuard;
}

const COLUMNS = 'p.id, p.status, p.ial, p.fourteen_at';
const ROWS = {
  document: (list: string) => `SELECT ${COLUMNS} FROM identity_documents f JOIN persons p ON p.id = f.person_id
    WHERE f.type = $1 AND f.issuer = $2 AND f.number_index ${list}`,
  identifier: (list: string) => `SELECT ${COLUMNS} FROM sign_in_identifiers f JOIN persons p ON p.id = f.person_id
    WHERE f.type = $1 AND f.value_index ${list}`,
} as const;
const COPY = (list: string): string =>
  `SELECT digest, person_id, status, ial, fourteen_at, row_seal FROM found_people WHERE digest ${list}`;
const SEAL_MADE = `UPDATE found_people SET row_seal = $6
  WHERE digest = $1 AND person_id = $2 AND status = $3 AND ial = $4 AND fourteen_at IS $5 AND row_seal IS NULL`;
const UNSEAL = 'UPDATE found_people SET row_seal = NULL WHERE digest = $1 AND row_seal = $2';
const WALK =
  'SELECT max(digest) AS last, count(*) AS walked FROM (SELECT digest FROM found_people WHERE digest > $1 ORDER BY digest LIMIT $2)';

interface CopyRow {
  readonly digest: string;
  readonly person_id: string;
  readonly status: string;
  readonly ial: number;
  readonly fourteen_at: number | null;
  readonly row_seal: Uint8Array | null;
}

export function createFoundPeople({ database, index, guard }: FoundPeopleSources): FoundPeople {
  const { seals, tell } = guard;
  const texts = { document: oneOf(ROWS.document, 3), identifier: oneOf(ROWS.identifier, 2) } as const;
  const copyText = oneOf(COPY, 1);
  let unsealedMet = (): void => {};

  const inRows = async (by: FoundBy, { type, issuer }: DocumentIdentity, digests: readonly string[]) => {
    const place = by === 'document' ? [type, issuer] : [type];
    const row = await database.get<FoundRow>(texts[by](digests.length), [...place, ...digests]);
    return row && foundPersonOf(row);
  };
  const inCopies = async (by: FoundBy, identity: DocumentIdentity, digests: readonly string[]) => {
    const row = await database.get<CopyRow>(copyText(digests.length), digests);
    if (row === undefined) return undefined;
    const { digest, person_id: id, status, ial, fourteen_at: fourteenAt, row_seal: seal } = row;
    const values: readonly SqlValue[] = [digest, id, status, ial, fourteenAt];
    if (seal !== null) {
      if (seals.isRight(FOUND_PEOPLE, values, seal)) return foundPersonOf({ ...row, id } as FoundRow);
      tell(placeOf(FOUND_PEOPLE, values));
      await database.run(UNSEAL, [digest, seal]);
    }
    unsealedMet();
    return inRows(by, identity, digests);
  };
  const look = database.engine === 'sqlite' ? inCopies : inRows;

  return {
    judgesEach: database.engine === 'sqlite',
    find: (by, identity) => look(by, identity, index.candidates(identity)),
    sealSome: (after, rowsMax) => database.write((tx) => sealFound(tx, guard, after, rowsMax)),
    sealMade(tx, made) {
      if (database.engine === 'postgres') return;
      for (const { digest, person } of made) {
        const values = [digest, person.id, person.status, person.ial, person.fourteenAt ?? null];
        tx.post(SEAL_MADE, [...values, seals.seal(FOUND_PEOPLE, values)]);
      }
    },
    async walkSome(after, rowsMax) {
      const row = await database.get<{ last: string | null; walked: number }>(WALK, [after, rowsMax]);
      return row?.last === null || row?.walked !== rowsMax ? undefined : row.last;
    },
    onUnsealed(listener) {
      unsealedMet = listener;
    },
  };
}

const UNSEALED = 'SELECT digest FROM found_people WHERE row_seal IS NULL AND digest > $1 ORDER BY digest LIMIT $2';
/** By the indexes of migration 10. */
const TRUTHS = [
  `SELECT ${COLUMNS} FROM identity_documents f JOIN persons p ON p.id = f.person_id WHERE f.number_index = $1`,
  `SELECT ${COLUMNS} FROM sign_in_identifiers f JOIN persons p ON p.id = f.person_id WHERE f.value_index = $1`,
] as const;
const SEAL = `UPDATE found_people SET person_id = $2, status = $3, ial = $4, fourteen_at = $5, row_seal = $6 WHERE digest = $1`;
const NOBODY = 'DELETE FROM found_people WHERE digest = $1';

/**
 * Seals copies that have none, from the first behind `after` on, as the rows say now that they come from; each of those is judged by its own
 * seal. Resolves with the last copy looked at, or undefined where there are no more. One whose rows were altered stays without a seal, and in a
 * house that uses altered rows and only tells of them all do: it might make one right.
 */
async function sealFound(
  tx: Transaction,
  { seals, refuses }: RowGuard,
  after: string,
  rowsMax: number,
): Promise<string | undefined> {
  if (!refuses) return undefined;
  const unsealed = await tx.all<{ digest: string }>(UNSEALED, [after, rowsMax]);
  for (const { digest } of unsealed) {
    const truth = await unlessAltered(() => truthOf(tx, digest));
    if (truth === undefined) continue;
    if (truth === 'nobody') {
      tx.post(NOBODY, [digest]);
      continue;
    }
    const values = [digest, truth.id, truth.status, truth.ial, truth.fourteen_at ?? null];
    tx.post(SEAL, [...values, seals.seal(FOUND_PEOPLE, values)]);
  }
  return unsealed.length < rowsMax ? undefined : unsealed.at(-1)?.digest;
}

async function truthOf(tx: Transaction, digest: string): Promise<FoundRow | 'nobody'> {
  for (const text of TRUTHS) {
    const row = await tx.get<FoundRow>(text, [digest]);
    if (row !== undefined) return row;
  }
  return 'nobody';
}
