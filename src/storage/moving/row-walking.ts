import type { Connection, SqlValue } from '../database.ts';
import type { MovedTable } from './moved-tables.ts';

export type Row = readonly SqlValue[];

/** The place after a row: the values of its key. Only the engine that ordered the rows knows what comes next. */
export type Place = readonly (string | number)[];

/**
 * The next rows of a table behind a place, in the order of its key, at most `limit`; each row as values in the order of the columns.
 * The text is a constant for each table and limit.
 */
export async function rowsAfter(
  connection: Pick<Connection, 'all'>,
  { name, columns, key }: MovedTable,
  place: Place | undefined,
  limit: number,
): Promise<readonly Row[]> {
  const behind =
    place === undefined ? '' : ` WHERE (${key.join(', ')}) > (${key.map((_, at) => `$${at + 2}`).join(', ')})`;
  const sql = `SELECT ${columns.join(', ')} FROM ${name}${behind} ORDER BY ${key.join(', ')} LIMIT $1`;
  const rows = await connection.all<Readonly<Record<string, SqlValue>>>(sql, [limit, ...(place ?? [])]);
  return rows.map((row) => columns.map((column) => row[column] ?? null));
}

/** Where a walk goes on behind a row. Keys are texts and whole numbers. */
export const placeOf = ({ columns, key }: MovedTable, row: Row): Place =>
  key.map((column) => row[columns.indexOf(column)] as string | number);

const VALUE_BYTES = 8;

/** What a row takes, roughly: to keep a batch within bounds whatever people uploaded. */
export const bytesOf = (row: Row): number =>
  row.reduce<number>((sum, value) => {
    if (value === null || typeof value === 'number') return sum + VALUE_BYTES;
    return sum + (typeof value === 'string' ? 2 * value.length : value.byteLength);
  }, 0);
