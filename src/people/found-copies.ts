import { unlessAltered } from '../shared/fault.ts';
import type { Database, SqlValue, Transaction } from '../storage/database.ts';
import { FOUND_PEOPLE } from '../storage/guarded-tables.ts';
import { oneOf } from '../storage/one-of.ts';
import { placeOf, type RowGuard } from '../storage/row-guard.ts';
import { FOUND_COLUMNS, type FoundPerson, type FoundRow, foundPersonOf } from './person.ts';

/** Who is found by a digest. */
export interface MadeCopy {
  readonly digest: string;
  readonly person: FoundPerson;
}

/**
 * What a sign-in asks of somebody, in one row a digest, which triggers keep true (migration 22): one walk instead of four, and one seal instead
 * of two. A copy is believed under a seal of this house alone; whatever changes of what it was made of takes the seal away, and until there
 * is a new one the rows are asked.
 */
export interface FoundCopies {
  /** Undefined: nobody is found by any of these. `unsealed`: somebody is, and the rows say who. */
  find(digests: readonly string[]): Promise<FoundPerson | 'unsealed' | undefined>;
  /**
   * Seals so many that have no seal, the first behind `after`, and resolves with the last one looked at; undefined at the end. None in a house
   * that uses altered rows and only tells of them: a seal might make one right.
   */
  sealSome(after: string, rowsMax: number): Promise<string | undefined>;
  /** Seals copies of rows that this very transaction has made; one that says anything else stays without a seal. */
  sealMade(tx: Transaction, made: readonly MadeCopy[]): void;
  /** Reads so many behind `after`, without a look at what they say; resolves as `sealSome` does. */
  walkSome(after: string, rowsMax: number): Promise<string | undefined>;
  /** To be told when somebody was asked for whose copy has no seal. */
  onUnsealed(listener: () => void): void;
}

const FIND = 'SELECT digest, person_id, status, ial, fourteen_at, row_seal FROM found_people WHERE digest ';
const UNSEAL = 'UPDATE found_people SET row_seal = NULL WHERE digest = $1 AND row_seal = $2';
const WALK =
  'SELECT max(digest) AS last, count(*) AS walked FROM (SELECT digest FROM found_people WHERE digest > $1 ORDER BY digest LIMIT $2)';
const SEAL_MADE = `UPDATE found_people SET row_seal = $6
  WHERE digest = $1 AND person_id = $2 AND status = $3 AND ial = $4 AND fourteen_at IS $5 AND row_seal IS NULL`;

interface CopyRow extends Omit<FoundRow, 'id'> {
  readonly digest: string;
  readonly person_id: string;
  readonly fourteen_at: number | null;
  readonly row_seal: Uint8Array | null;
}

/** `database` is the store as it judges; `guard` is what it judges by. */
export function createFoundCopies(database: Database, guard: RowGuard): FoundCopies {
  const { seals, tell } = guard;
  const textOf = oneOf((list) => `${FIND}${list}`, 1);
  let met = (): void => {};

  return {
    async find(digests) {
      const row = await database.get<CopyRow>(textOf(digests.length), digests);
      if (row === undefined) return undefined;
      const { digest, person_id: id, status, ial, fourteen_at: fourteenAt, row_seal: seal } = row;
      const values: readonly SqlValue[] = [digest, id, status, ial, fourteenAt];
      if (seal !== null) {
        if (seals.isRight(FOUND_PEOPLE, values, seal))
          return foundPersonOf({ id, status, ial, fourteen_at: fourteenAt });
        tell(placeOf(FOUND_PEOPLE, values));
        await database.run(UNSEAL, [digest, seal]);
      }
      met();
      return 'unsealed';
    },
    async sealSome(after, rowsMax) {
      return guard.refuses ? database.write((tx) => sealUnsealed(tx, seals, after, rowsMax)) : undefined;
    },
    sealMade(tx, made) {
      for (const { digest, person } of made) {
        const values = [digest, person.id, person.status, person.ial, person.fourteenAt ?? null];
        tx.post(SEAL_MADE, [...values, seals.seal(FOUND_PEOPLE, values)]);
      }
    },
    async walkSome(after, rowsMax) {
      const row = await database.get<{ last: string | null; walked: number }>(WALK, [after, rowsMax]);
      return row?.walked === rowsMax ? (row.last ?? undefined) : undefined;
    },
    onUnsealed(listener) {
      met = listener;
    },
  };
}

const UNSEALED = 'SELECT digest FROM found_people WHERE row_seal IS NULL AND digest > $1 ORDER BY digest LIMIT $2';
/** By the indexes of migration 10. */
const TRUTHS = [
  `SELECT ${FOUND_COLUMNS} FROM identity_documents f JOIN persons p ON p.id = f.person_id WHERE f.number_index = $1`,
  `SELECT ${FOUND_COLUMNS} FROM sign_in_identifiers f JOIN persons p ON p.id = f.person_id WHERE f.value_index = $1`,
] as const;
const SEAL = `UPDATE found_people SET person_id = $2, status = $3, ial = $4, fourteen_at = $5, row_seal = $6 WHERE digest = $1`;
const NOBODY = 'DELETE FROM found_people WHERE digest = $1';

/** As the rows say now that the copies come from; each of those is judged by its own seal. A copy whose rows were altered stays without one. */
async function sealUnsealed(
  tx: Transaction,
  seals: RowGuard['seals'],
  after: string,
  rowsMax: number,
): Promise<string | undefined> {
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
