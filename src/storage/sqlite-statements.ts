import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { CompiledQuery, QueryResult } from 'kysely';
import type { SqlValue } from './database.ts';
import { translateSqliteError } from './storage-errors.ts';

/** More different texts than the code has; queries with lists of varying length must not fill the memory. */
const STATEMENTS_MAX = 512;

const PLACE = /\$(\d+)/g;
/**
 * SQLite plans anew whenever a value is bound to a parameter that stands alone behind LIMIT, since it looks at the value: as dear as preparing
 * the statement each time. Into an expression it does not look.
 */
const BARE_LIMIT = /\bLIMIT \$\d+/g;

interface Prepared {
  readonly statement: StatementSync;
  /** Of the columns; none of a statement that gives no rows. */
  readonly names: readonly string[];
}

/**
 * A row by the names of its columns. What the driver makes of one by itself is a dictionary to V8, and its members are looked up by name in a table wherever
 * they are asked for; an object that is built member by member has the shape of all rows of its statement.
 */
function rowOf(names: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (let at = 0; at < names.length; at += 1) row[names[at]!] = values[at];
  return row;
}

const allOf = ({ statement, names }: Prepared, params: readonly SqlValue[]): unknown[] =>
  (statement.all(...params) as unknown as (readonly unknown[])[]).map((values) => rowOf(names, values));

/**
 * The statements of one SQLite connection, each prepared once. They run synchronously: a statement on a local file takes
 * microseconds, less than handing it to a thread.
 */
export class SqliteStatements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  all(sql: string, params: readonly SqlValue[]): unknown[] {
    try {
      return allOf(this.#prepare(sql), params);
    } catch (error) {
      throw translateSqliteError(error);
    }
  }

  get(sql: string, params: readonly SqlValue[]): unknown {
    try {
      const { statement, names } = this.#prepare(sql);
      const values = statement.get(...params) as unknown as readonly unknown[] | undefined;
      return values === undefined ? undefined : rowOf(names, values);
    } catch (error) {
      throw translateSqliteError(error);
    }
  }

  run(sql: string, params: readonly SqlValue[]): number {
    try {
      return this.#prepare(sql).statement.run(...params).changes as number;
    } catch (error) {
      throw translateSqliteError(error);
    }
  }

  /** Runs what the query builder compiled. */
  execute(query: CompiledQuery): QueryResult<unknown> {
    const params = query.parameters as readonly SqlValue[];
    try {
      const prepared = this.#prepare(query.sql);
      if (prepared.names.length > 0) return { rows: allOf(prepared, params) };
      const { changes, lastInsertRowid } = prepared.statement.run(...params);
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
    } catch (error) {
      throw translateSqliteError(error);
    }
  }

  #prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql.replace(BARE_LIMIT, '$& + 0').replace(PLACE, '?$1'));
    statement.setReturnArrays(true);
    const prepared = { statement, names: statement.columns().map(({ name }) => name) };
    if (this.#prepared.size >= STATEMENTS_MAX) {
      for (const oldest of this.#prepared.keys()) {
        this.#prepared.delete(oldest);
        break;
      }
    }
    this.#prepared.set(sql, prepared);
    return prepared;
  }
}
