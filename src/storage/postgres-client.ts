import type { CompiledQuery, QueryResult } from 'kysely';
import type pg from 'pg';
import type { SqlValue } from './database.ts';
import { translatePostgresError } from './storage-errors.ts';

/** Texts that get a prepared statement on the server; they are constants of the code, so this is never reached. */
const NAMES_MAX = 512;
const names = new Map<string, string>();

/** The name of the prepared statement of a constant text; undefined for statements that run once. */
function nameOf(sql: string, params: readonly SqlValue[]): string | undefined {
  if (params.length === 0) return undefined;
  const known = names.get(sql);
  if (known !== undefined || names.size >= NAMES_MAX) return known;
  const name = `tongban_${names.size + 1}`;
  names.set(sql, name);
  return name;
}

/** Statements on one connection, or on any of the pool. Errors arrive as faults unless they are the statement's own. */
export class PostgresClient {
  readonly #target: pg.Pool | pg.PoolClient;

  constructor(target: pg.Pool | pg.PoolClient) {
    this.#target = target;
  }

  async all<Row>(sql: string, params: readonly SqlValue[]): Promise<Row[]> {
    return (await this.#send(sql, params, nameOf(sql, params))).rows as Row[];
  }

  async get<Row>(sql: string, params: readonly SqlValue[]): Promise<Row | undefined> {
    return (await this.#send(sql, params, nameOf(sql, params))).rows[0] as Row | undefined;
  }

  async run(sql: string, params: readonly SqlValue[]): Promise<number> {
    return (await this.#send(sql, params, nameOf(sql, params))).rowCount ?? 0;
  }

  /** Runs what the query builder compiled: not named, for its texts vary with the length of lists. */
  async execute(query: CompiledQuery): Promise<QueryResult<unknown>> {
    const result = await this.#send(query.sql, query.parameters as readonly SqlValue[], undefined);
    return { rows: result.rows, numAffectedRows: BigInt(result.rowCount ?? 0) };
  }

  /** Resolves with the command tag: COMMIT of an aborted transaction answers ROLLBACK. */
  async control(sql: string): Promise<string> {
    return (await this.#send(sql, [], undefined)).command;
  }

  async #send(text: string, params: readonly SqlValue[], name: string | undefined): Promise<pg.QueryResult> {
    try {
      return await this.#target.query(
        name === undefined ? { text, values: [...params] } : { name, text, values: [...params] },
      );
    } catch (error) {
      throw translatePostgresError(error);
    }
  }
}
