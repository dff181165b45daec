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
  readonly returnsRows: boolean;
}

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
      return this.#prepare(sql).statement.all(...params);
    } catch (error) {
      throw translateSqliteError(error);
    }
  }

  get(sql: string, params: readonly SqlValue[]): unknown {
    try {
      return this.#prepare(sql).statement.get(...params);
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
      const { statement, returnsRows } = this.#prepare(query.sql);
      if (returnsRows) return { rows: statement.all(...params) };
      const { changes, lastInsertRowid } = statement.run(...params);
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
    } catch (error) {
      throw translateSqliteError(error);
    }
  }

  #prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql.replace(BARE_LIMIT, '$& + 0').replace(PLACE, '?$1'));
    const prepared = { statement, returnsRows: statement.columns().length > 0 };
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
