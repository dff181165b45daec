import type { Database, SqlValue } from './database.ts';
import type { GuardedTable } from './guarded-tables.ts';
import { createRowCache } from './row-cache.ts';

/** Some 10 MB: what the people who come by just now have said once and for all. */
const ROWS_KEPT_MAX = 20_000;

export type Row = Record<string, SqlValue>;

/** What was found; `isRight` is false for a row that its seal does not stand for. */
export interface Found {
  readonly row: Row | undefined;
  readonly isRight: boolean;
}

/** Rows a write has changed, or may have: of a table without a name any. */
export interface Changed {
  readonly guarded: GuardedTable;
  readonly name?: readonly SqlValue[];
}

/** Rows of tables that are asked for at each visit and seldom change (`GuardedTable.isKept`), kept in memory as they were judged. */
export interface KeptRows {
  /** The row of this name as `sql` asks for it, or what `load` finds. That there is none is kept as well; a row that is not right never. */
  find(
    sql: string,
    guarded: GuardedTable,
    name: readonly SqlValue[],
    load: () => Promise<Found>,
  ): Promise<Row | undefined>;
  /** To be called after each write, whatever became of it, and before anybody is told of it. */
  forget(changes: readonly Changed[]): void;
}

export function createKeptRows(database: Database): KeptRows {
  const rows = createRowCache<Found & { readonly table: string }>(database, ROWS_KEPT_MAX);
  /** The statements that ask for rows of a table: a handful of constants. */
  const asking = new Map<string, Set<string>>();
  /** A key with the number of its statement is made and compared sooner than one with its text. */
  const numbers = new Map<string, number>();
  const keyOf = (sql: string, name: readonly SqlValue[]): string => {
    const number = numbers.get(sql) ?? numbers.size;
    numbers.set(sql, number);
    return `${number}:${JSON.stringify(name.map(String))}`;
  };

  return {
    async find(sql, guarded, name, load) {
      const { table } = guarded;
      const statements = asking.get(table) ?? new Set();
      asking.set(table, statements.add(sql));
      const key = keyOf(sql, name);
      const found = await rows.find(key, async () => {
        const { row, isRight } = await load();
        return { table, row: row && Object.freeze(row), isRight };
      });
      if (!found.isRight) rows.forget(key);
      return found.row;
    },
    forget(changes) {
      for (const { guarded, name } of changes) {
        const { table } = guarded;
        if (name === undefined) rows.forgetWhere((kept) => kept.table === table);
        else for (const sql of asking.get(table) ?? []) rows.forget(keyOf(sql, name));
      }
    },
  };
}
