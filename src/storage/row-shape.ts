import type { SqlValue, Transaction } from './database.ts';
import type { Tables } from './tables.ts';

/** Rows of one statement: every one of its texts is prepared and kept, and PostgreSQL takes 65,535 parameters at most. */
const ROWS_AT_ONCE = 100;

/** How a row of a table is written: the columns, in the order in which their values come. */
export interface RowShape {
  /** The statement that inserts so many rows at once. */
  insert(rowCount: number): string;
}

export type RowValues = readonly SqlValue[];

export function rowShape<Name extends keyof Tables & string>(
  table: Name,
  columns: readonly (keyof Tables[Name] & string)[],
): RowShape {
  const texts: string[] = [];
  const textOf = (rowCount: number): string => {
    const rows = Array.from({ length: rowCount }, (_row, row) => {
      const places = columns.map((_column, column) => `$${row * columns.length + column + 1}`);
      return `(${places.join(', ')})`;
    });
    return `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${rows.join(', ')}`;
  };
  return {
    insert(rowCount) {
      texts[rowCount] ??= textOf(rowCount);
      return texts[rowCount];
    },
  };
}

/** Inserts rows that nobody else may have, many with each statement. */
export async function insertRows(tx: Transaction, shape: RowShape, rows: readonly RowValues[]): Promise<void> {
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    const some = rows.slice(from, from + ROWS_AT_ONCE);
    await tx.run(shape.insert(some.length), some.flat());
  }
}
