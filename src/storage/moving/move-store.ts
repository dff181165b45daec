import type { Connection, Database } from '../database.ts';
import { moveReferencesToItself, moveRows } from './move-rows.ts';
import { type MoveState, occupiedTable, readMoveState } from './move-state.ts';
import type { MovedTable } from './moved-tables.ts';
import { type Place, placeOf, rowsAfter } from './row-walking.ts';
import { type Hash, TableDigest } from './table-digest.ts';

type Source = Pick<Connection, 'all'>;
type OnProgress = (done: number, total: number) => void;

/** Where a target stands: ready for a move, or in the middle of the same one. */
export type Standing =
  | { readonly kind: 'empty' }
  | { readonly kind: 'begun'; readonly state: MoveState }
  | { readonly kind: 'occupied'; readonly table: string }
  | { readonly kind: 'another' };

/** Looks at a target for a move of the source that `mark` names; changes nothing. Throws where the target is of a newer version. */
export async function standingOf(target: Database, tables: readonly MovedTable[], mark: string): Promise<Standing> {
  const state = await readMoveState(target);
  if (state !== undefined) {
    const isSame = state.source === mark && tables.every(({ name }) => state.tables.has(name));
    return isSame ? { kind: 'begun', state } : { kind: 'another' };
  }
  const table = await occupiedTable(target, tables);
  return table === undefined ? { kind: 'empty' } : { kind: 'occupied', table };
}

const LAST = 'SELECT seq, entry FROM ledger_entries ORDER BY seq DESC LIMIT 1';

/**
 * Names a store and what it holds by the end of its ledger, in which every change of state stands: a source that was served or worked on after
 * the move began has another.
 */
export async function markOf(source: Source, hash: Hash): Promise<string> {
  const [last] = await source.all<{ seq: number; entry: string }>(LAST, []);
  if (last === undefined) return '0';
  return `${last.seq + 1}:${Buffer.from(hash(Buffer.from(last.entry))).toString('hex')}`;
}

/** How many rows each table of the source has. */
export async function rowCounts(source: Source, tables: readonly MovedTable[]): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { name } of tables) {
    const [row] = await source.all<{ count: number }>(`SELECT count(*) AS count FROM ${name}`, []);
    counts.set(name, row?.count ?? 0);
  }
  return counts;
}

const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0);

const IDENTITIES = `SELECT table_name AS "table", column_name AS "column" FROM information_schema.columns
  WHERE table_schema = current_schema() AND is_identity = 'YES'`;

/** Carries every row that is not in the target yet, then what is derived from rows: numbers to come, and what the planner knows. */
export async function carryRows(
  source: Source,
  target: Database,
  tables: readonly MovedTable[],
  onProgress: OnProgress,
): Promise<void> {
  const all = total(await rowCounts(source, tables));
  const state = await readMoveState(target);
  let done = 0;
  for (const table of tables) {
    const reached = state?.tables.get(table.name) ?? { moved: 0, place: undefined };
    done += reached.moved;
    await moveRows(source, target, table, reached, (count) => {
      done += count;
      onProgress(done, all);
    });
    await moveReferencesToItself(source, target, table);
    await target.run(`ANALYZE ${table.name}`, []);
  }
  for (const { table, column } of await target.all<{ table: string; column: string }>(IDENTITIES, [])) {
    const next = `(SELECT coalesce(max(${column}), 0) + 1 FROM ${table})`;
    await target.get(`SELECT setval(pg_get_serial_sequence($1, $2), ${next}, false)`, [table, column]);
  }
}

/** One table, as the source has it and as it was found in the target. */
export interface Compared {
  readonly table: string;
  readonly rows: number;
  /** 64 hexadecimal digits, of the source. */
  readonly digest: string;
  readonly same: boolean;
}

/** Reads both stores again from their beginning to their end and compares them table by table. */
export async function compareStores(
  source: Source,
  target: Source,
  tables: readonly MovedTable[],
  { hash, onProgress }: { readonly hash: Hash; readonly onProgress: OnProgress },
): Promise<readonly Compared[]> {
  const all = 2 * total(await rowCounts(source, tables));
  let done = 0;
  const read = async (from: Source, table: MovedTable): Promise<TableDigest> => {
    const digest = new TableDigest(hash);
    for (let place: Place | undefined; ; ) {
      const rows = await rowsAfter(from, table, place, ROWS_AT_ONCE);
      for (const row of rows) digest.add(row);
      done += rows.length;
      onProgress(done, all);
      const last = rows.at(-1);
      if (last === undefined) return digest;
      place = placeOf(table, last);
    }
  };
  const compared: Compared[] = [];
  for (const table of tables) {
    const [wanted, found] = [await read(source, table), await read(target, table)];
    const same = wanted.count === found.count && wanted.text === found.text;
    compared.push({ table: table.name, rows: wanted.count, digest: wanted.text, same });
  }
  return compared;
}

const ROWS_AT_ONCE = 500;
