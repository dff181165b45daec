import type { Database, Transaction } from '../storage/database.ts';
import { GUARDED_TABLES, type GuardedTable, guardedTable, ROW_SEAL, sealedTables } from '../storage/guarded-tables.ts';
import type { NightlyJob, NightlyStep } from '../storage/nightly-job.ts';
import { nightlyJobStatus } from '../storage/nightly-lease.ts';
import { coveredOf } from '../storage/row-guard.ts';
import type { RowWalk } from '../storage/row-walk.ts';
import { nameOf, resealRow, rowsAfter, type SealedRow } from './row-sealing.ts';
import type { RingRowSeals } from './row-seals.ts';
import { sealedWith } from './sealing.ts';
import type { SecretRing } from './secret-ring.ts';

export const ROW_CHECK = 'row-check';

/** The job's step judges so many at once: a row costs some hundredths of a millisecond. */
const ROWS_PER_ASKED = 20;
const ROWS_AT_ONCE = 500;

export interface RowWalkParts {
  /** The store itself, which judges nothing. */
  readonly raw: Database;
  readonly seals: RingRowSeals;
}

const countOf = async (raw: Database, table: string): Promise<number> => {
  const row = await raw.get<{ total: number }>(`SELECT count(*) AS total FROM ${table}`, []);
  return Number(row?.total ?? 0);
};

const sealOf = (row: SealedRow): Uint8Array | null => {
  const seal = row[ROW_SEAL];
  return seal instanceof Uint8Array ? seal : null;
};

/** The name of the last row of a stretch as a text, and back. */
const cursorOf = (guarded: GuardedTable, row: SealedRow): string => JSON.stringify(nameOf(guarded, row));
const nameIn = (cursor: string): readonly string[] | undefined =>
  cursor === '' ? undefined : (JSON.parse(cursor) as readonly string[]);

/** Brings the seals of each table under the key in use. A row that does not match its seal keeps it, for whoever looks into it. */
export const sealWalks = (parts: RowWalkParts, ring: SecretRing, tell: (place: string) => void): readonly RowWalk[] =>
  sealedTables(parts.raw.engine).map((guarded) => sealWalk(parts, ring, guarded, tell));

function sealWalk(
  { raw, seals }: RowWalkParts,
  ring: SecretRing,
  guarded: GuardedTable,
  tell: (place: string) => void,
): RowWalk {
  const isOld = (seal: Uint8Array | null): boolean => {
    const id = seal === null ? undefined : sealedWith(seal);
    return ring.keys('rows').some((key) => key.state === 'previous' && key.id === id);
  };
  return {
    name: `seals-of-${guarded.table}`,
    needed: () => ring.keys('rows').some(({ state }) => state === 'previous'),
    total: () => countOf(raw, guarded.table),
    async stretch(after, rowsMax) {
      const rows = await rowsAfter(raw, guarded, nameIn(after), rowsMax);
      let unreadable = 0;
      const right: SealedRow[] = [];
      for (const row of rows.filter((one) => isOld(sealOf(one)))) {
        if (seals.isRight(guarded, coveredOf(guarded, row), sealOf(row))) right.push(row);
        else {
          unreadable += 1;
          tell(placeOf(guarded, row));
        }
      }
      let resealed = 0;
      await raw.write(async (tx) => {
        for (const row of right) {
          const values = coveredOf(guarded, row);
          if (await resealRow(tx, guarded, values, seals.seal(guarded, values), sealOf(row))) resealed += 1;
        }
      });
      const last = rows.length < rowsMax ? undefined : cursorOf(guarded, rows.at(-1)!);
      return { last, handled: rows.length, counts: { resealed, unreadable } };
    },
  };
}

/** As the ledger and faults name a row: `table:row`. */
const placeOf = (guarded: GuardedTable, row: SealedRow): string => `${guarded.table}:${nameOf(guarded, row).join(':')}`;

export interface RowCheckParts extends RowWalkParts {
  readonly rowsPerSecond: number;
  /** Hears of each row that does not match its seal. */
  readonly tell: (place: string) => void;
  /** Writes that a round is done; `tables` says how many rows of each table there are, `name count` each. */
  readonly done: (
    tx: Transaction,
    round: { readonly checked: number; readonly altered: number; readonly tables: readonly string[] },
  ) => Promise<void>;
}

/** Holds every guarded row against its seal, one table after the other: what nobody reads is found as well. */
export function createRowCheck({ raw, seals, rowsPerSecond, tell, done }: RowCheckParts): NightlyJob {
  const tally = async (): Promise<readonly string[]> => {
    const counts: string[] = [];
    for (const { table } of GUARDED_TABLES) counts.push(`${table} ${await countOf(raw, table)}`);
    return counts;
  };
  const ended = async (step: NightlyStep): Promise<NightlyStep> => {
    const before = (await nightlyJobStatus(raw, ROW_CHECK))?.counts ?? {};
    const checked = (before.checked ?? 0) + (step.counts.checked ?? 0);
    const altered = (before.altered ?? 0) + (step.counts.altered ?? 0);
    const tables = await tally();
    await raw.write((tx) => done(tx, { checked, altered, tables }));
    return step;
  };

  return {
    name: ROW_CHECK,
    perSecond: Math.max(1, Math.ceil(rowsPerSecond / ROWS_PER_ASKED)),
    async count() {
      let total = 0;
      for (const { table } of GUARDED_TABLES) total += await countOf(raw, table);
      return total;
    },
    async step(cursor = `${GUARDED_TABLES[0]!.table} `, limit) {
      const blank = cursor.indexOf(' ');
      const guarded = guardedTable(cursor.slice(0, blank)) ?? GUARDED_TABLES[0]!;
      const rowsMax = limit * ROWS_PER_ASKED;
      const rows = await rowsAfter(raw, guarded, nameIn(cursor.slice(blank + 1)), rowsMax);
      let altered = 0;
      for (const row of rows) {
        if (seals.isRight(guarded, coveredOf(guarded, row), sealOf(row))) continue;
        altered += 1;
        tell(placeOf(guarded, row));
      }
      const step = {
        handled: rows.length,
        asked: Math.ceil(rows.length / ROWS_PER_ASKED),
        counts: { checked: rows.length, altered },
      };
      if (rows.length === rowsMax) return { ...step, cursor: `${guarded.table} ${cursorOf(guarded, rows.at(-1)!)}` };
      const next = GUARDED_TABLES[GUARDED_TABLES.indexOf(guarded) + 1];
      return next === undefined ? ended({ ...step, cursor: undefined }) : { ...step, cursor: `${next.table} ` };
    },
  };
}

/** Seals one row as it stands, because somebody has looked at it. False where there is no such row. */
export async function sealAsItStands(
  tx: Transaction,
  seals: RingRowSeals,
  guarded: GuardedTable,
  name: readonly string[],
): Promise<boolean> {
  const where = guarded.row.map((column, place) => `${column} = $${place + 1}`).join(' AND ');
  const columns = [...guarded.row, ...guarded.columns, ROW_SEAL].join(', ');
  const row = await tx.get<SealedRow>(`SELECT ${columns} FROM ${guarded.table} WHERE ${where}`, name);
  if (row === undefined) return false;
  const values = coveredOf(guarded, row);
  return resealRow(tx, guarded, values, seals.seal(guarded, values), sealOf(row));
}

/** The same for every row that does not match its seal. Resolves with how many there were. */
export async function sealAllAsTheyStand(raw: Database, seals: RingRowSeals): Promise<number> {
  let sealed = 0;
  for (const guarded of GUARDED_TABLES) {
    let after: readonly string[] | undefined;
    for (;;) {
      const rows = await rowsAfter(raw, guarded, after, ROWS_AT_ONCE);
      const wrong = rows.filter((row) => !seals.isRight(guarded, coveredOf(guarded, row), sealOf(row)));
      sealed += await raw.write(async (tx) => {
        let count = 0;
        for (const row of wrong) {
          const values = coveredOf(guarded, row);
          if (await resealRow(tx, guarded, values, seals.seal(guarded, values), sealOf(row))) count += 1;
        }
        return count;
      });
      if (rows.length < ROWS_AT_ONCE) break;
      after = nameOf(guarded, rows.at(-1)!);
    }
  }
  return sealed;
}
