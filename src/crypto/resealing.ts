import { Fault } from '../shared/fault.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { NightlyJob, NightlyStep } from '../storage/nightly-job.ts';
import { nightlyJobStatus } from '../storage/nightly-lease.ts';
import type { RowWalk } from '../storage/row-walk.ts';
import { rowName, SEALED_TABLES, type SealedTable } from '../storage/sealed-columns.ts';
import { type Sealer, sealedWith } from './sealing.ts';
import type { SecretRing } from './secret-ring.ts';

export const RESEALING = 'key-resealing';

/** The job's step judges so many at once; a row costs a tenth of a millisecond, so that no request waits for a step. */
const ROWS_PER_ASKED = 5;

export interface ResealingOptions {
  readonly database: Database;
  readonly walks: readonly RowWalk[];
  readonly rowsPerSecond: number;
  /** Called after rows were sealed anew: rows kept in memory stand under a key that may soon be gone. */
  readonly forget: () => void;
  /** Tells that a round is done, with all it did. */
  readonly tell: (tx: Transaction, counts: Readonly<Record<string, number>>) => Promise<void>;
}

/**
 * Brings everything that stands under a replaced key under the key in use, one table after the other. A row is changed only where it still
 * holds what was read of it, so that requests and this job never undo one another, and a step that is done twice changes nothing.
 */
export function createResealing({ database, walks, rowsPerSecond, forget, tell }: ResealingOptions): NightlyJob {
  const due = (): readonly RowWalk[] => walks.filter((walk) => walk.needed());

  const ended = async (step: NightlyStep): Promise<NightlyStep> => {
    const counts: Record<string, number> = { ...(await nightlyJobStatus(database, RESEALING))?.counts };
    for (const [name, count] of Object.entries(step.counts)) counts[name] = (counts[name] ?? 0) + count;
    if (Object.values(counts).some((count) => count > 0)) await database.write((tx) => tell(tx, counts));
    return step;
  };

  return {
    name: RESEALING,
    perSecond: Math.max(1, Math.ceil(rowsPerSecond / ROWS_PER_ASKED)),
    async count() {
      let total = 0;
      for (const walk of due()) total += await walk.total();
      return total;
    },
    async step(cursor, limit) {
      const place = placeOf(cursor);
      const at = place.walk === '' ? 0 : walks.findIndex(({ name }) => name === place.walk);
      const walk = walks.slice(Math.max(0, at)).find((one) => one.needed());
      if (walk === undefined) return ended({ cursor: undefined, handled: 0, asked: 0, counts: {} });
      const after = walk.name === place.walk ? place.after : '';
      const { last, handled, counts } = await walk.stretch(after, limit * ROWS_PER_ASKED);
      if ((counts.resealed ?? 0) > 0) forget();
      const changed = (counts.resealed ?? 0) + (counts.reindexed ?? 0);
      const step = { handled, asked: Math.ceil(changed / ROWS_PER_ASKED), counts };
      if (last !== undefined) return { ...step, cursor: `${walk.name} ${last}` };
      const next = walks.slice(walks.indexOf(walk) + 1).find((one) => one.needed());
      return next === undefined ? ended({ ...step, cursor: undefined }) : { ...step, cursor: `${next.name} ` };
    },
  };
}

function placeOf(cursor = ' '): { readonly walk: string; readonly after: string } {
  const blank = cursor.indexOf(' ');
  return { walk: cursor.slice(0, blank), after: cursor.slice(blank + 1) };
}

/** A walk over each table that holds sealed values. */
export const sealedWalks = (database: Database, sealer: Sealer, ring: SecretRing): readonly RowWalk[] =>
  SEALED_TABLES.map((sealed) => createSealedWalk(database, sealer, ring, sealed));

type Row = Readonly<Record<string, Uint8Array | string | null>>;

function createSealedWalk(database: Database, sealer: Sealer, ring: SecretRing, sealed: SealedTable): RowWalk {
  const { table, columns } = sealed;
  const name = rowName(sealed);
  const select = `SELECT ${name} AS row_name, ${columns.join(', ')} FROM ${table} WHERE ${name} > $1 ORDER BY ${name} LIMIT $2`;
  const updates = new Map(
    columns.map((column) => [column, `UPDATE ${table} SET ${column} = $1 WHERE ${name} = $2 AND ${column} = $3`]),
  );
  const isOld = (value: Uint8Array): boolean => {
    const id = sealedWith(value);
    return ring.keys('sealing').some((key) => key.state === 'previous' && key.id === id);
  };

  return {
    name: table,
    needed: () => ring.keys('sealing').some(({ state }) => state === 'previous'),
    async total() {
      const row = await database.get<{ total: number }>(`SELECT count(*) AS total FROM ${table}`, []);
      return Number(row?.total ?? 0);
    },
    async stretch(after, rowsMax) {
      const rows = await database.all<Row>(select, [after, rowsMax]);
      const changes: { column: string; row: string; before: Uint8Array; sealed: Uint8Array }[] = [];
      let unreadable = 0;
      for (const row of rows) {
        for (const column of columns) {
          const before = row[column];
          if (!(before instanceof Uint8Array) || !isOld(before)) continue;
          const context = `${table}:${column}:${row.row_name}`;
          const text = readable(sealer, before, context);
          if (text === undefined) unreadable += 1;
          else changes.push({ column, row: String(row.row_name), before, sealed: sealer.seal(text, context) });
        }
      }
      let resealed = 0;
      await database.write(async (tx) => {
        for (const { column, row, before, sealed: value } of changes) {
          resealed += await tx.run(updates.get(column)!, [value, row, before]);
        }
      });
      const last = rows.length < rowsMax ? undefined : String(rows.at(-1)!.row_name);
      return { last, handled: rows.length, counts: { resealed, unreadable } };
    },
  };
}

/** What was altered stays as it is, for whoever looks into it: the sealer has told the ledger. */
function readable(sealer: Sealer, sealed: Uint8Array, context: string): string | undefined {
  try {
    return sealer.unseal(sealed, context);
  } catch (error) {
    if (error instanceof Fault && error.code === 'sealed_data_altered') return undefined;
    throw error;
  }
}
