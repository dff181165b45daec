import type { Connection, Database, SqlValue } from '../database.ts';
import { advance, type TableState } from './move-state.ts';
import type { MovedTable } from './moved-tables.ts';
import { bytesOf, type Place, placeOf, type Row, rowsAfter } from './row-walking.ts';

const ROWS_AT_ONCE = 1_000;
const BYTES_AT_ONCE = 4 * 1024 * 1024;
/** PostgreSQL counts them in sixteen bits. */
const PARAMETERS_MAX = 65_535;
/** Read in one go when rows may be large: an upload has some megabytes. */
const LARGE_ROWS_AT_ONCE = 8;
const LARGE_TABLES: ReadonlySet<string> = new Set(['legal_person_claim_files']);

/**
 * Carries the rows of one table behind `state`, a batch in a transaction, each with its place: a kill at any moment leaves whole batches, and the
 * next run goes on behind the last. `onRows` is told of the rows of each batch once they are durable.
 */
export async function moveRows(
  source: Pick<Connection, 'all'>,
  target: Database,
  table: MovedTable,
  state: TableState,
  onRows: (count: number) => void,
): Promise<void> {
  let { moved, place } = state;
  const limit = LARGE_TABLES.has(table.name) ? LARGE_ROWS_AT_ONCE : ROWS_AT_ONCE;
  for (;;) {
    const batch = cutToBytes(await rowsAfter(source, table, place, limit));
    const last = batch.at(-1);
    if (last === undefined) return;
    const reached = placeOf(table, last);
    const [before, rows] = [moved, batch.map((row) => withoutItself(table, row))];
    await target.write(async (tx) => {
      await advance(tx, table.name, before, rows.length, reached);
      const portion = Math.floor(PARAMETERS_MAX / table.columns.length);
      for (let from = 0; from < rows.length; from += portion) {
        const some = rows.slice(from, from + portion);
        await tx.run(insertText(table, some.length), some.flat());
      }
    });
    moved += rows.length;
    place = reached;
    onRows(rows.length);
  }
}

/** Sets what refers to rows of the same table, now that all of them are there. Bears being done twice. */
export async function moveReferencesToItself(
  source: Pick<Connection, 'all'>,
  target: Database,
  table: MovedTable,
): Promise<void> {
  for (const column of table.toItself) {
    const update = `UPDATE ${table.name} SET ${column} = $1 WHERE ${table.key.map((key, at) => `${key} = $${at + 2}`).join(' AND ')}`;
    for (let place: Place | undefined; ; ) {
      const rows = await rowsAfter(source, table, place, ROWS_AT_ONCE);
      const last = rows.at(-1);
      if (last === undefined) break;
      place = placeOf(table, last);
      const at = table.columns.indexOf(column);
      const referring = rows.filter((row) => row[at] !== null);
      if (referring.length === 0) continue;
      await target.write(async (tx) => {
        for (const row of referring) await tx.run(update, [row[at] as SqlValue, ...placeOf(table, row)]);
      });
    }
  }
}

function withoutItself({ columns, toItself }: MovedTable, row: Row): Row {
  return toItself.length === 0 ? row : row.map((value, at) => (toItself.includes(columns[at]!) ? null : value));
}

function cutToBytes(rows: readonly Row[]): readonly Row[] {
  let bytes = 0;
  for (const [at, row] of rows.entries()) {
    bytes += bytesOf(row);
    if (bytes > BYTES_AT_ONCE) return rows.slice(0, Math.max(1, at));
  }
  return rows;
}

function insertText({ name, columns }: MovedTable, rowCount: number): string {
  const rows = Array.from({ length: rowCount }, (_row, row) => {
    const places = columns.map((_column, column) => `$${row * columns.length + column + 1}`);
    return `(${places.join(', ')})`;
  });
  return `INSERT INTO ${name} (${columns.join(', ')}) VALUES ${rows.join(', ')}`;
}
