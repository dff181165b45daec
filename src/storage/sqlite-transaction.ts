import type { Kysely } from 'kysely';
import { Fault } from '../shared/fault.ts';
import type { SqlValue, Transaction } from './database.ts';
import { createQueryBuilder } from './query-dialect.ts';
import type { SqliteStatements } from './sqlite-statements.ts';
import type { Tables } from './tables.ts';

/**
 * The writer connection lent to one write. It ends with its write: a statement that was not awaited must not slip into the
 * savepoint of a neighbour.
 */
export class SqliteTransaction implements Transaction {
  readonly kind = 'transaction';
  readonly #statements: SqliteStatements;
  #open = true;
  #query: Kysely<Tables> | undefined;

  constructor(statements: SqliteStatements) {
    this.#statements = statements;
  }

  get query(): Kysely<Tables> {
    this.#query ??= createQueryBuilder('sqlite', async (query) => this.#lent().execute(query));
    return this.#query;
  }

  async all<Row>(sql: string, params: readonly SqlValue[]): Promise<Row[]> {
    return this.#lent().all(sql, params) as Row[];
  }

  async get<Row>(sql: string, params: readonly SqlValue[]): Promise<Row | undefined> {
    return this.#lent().get(sql, params) as Row | undefined;
  }

  async run(sql: string, params: readonly SqlValue[]): Promise<number> {
    return this.#lent().run(sql, params);
  }

  post(sql: string, params: readonly SqlValue[], explain?: (error: unknown) => unknown): void {
    this.#change(sql, params, explain);
  }

  /** There is one writer, and its lock is that of the whole write. */
  postLast(sql: string, params: readonly SqlValue[]): void {
    this.#change(sql, params, undefined);
  }

  demand(sql: string, params: readonly SqlValue[], lost: () => unknown, explain?: (error: unknown) => unknown): void {
    if (this.#change(sql, params, explain) === 0) throw lost();
  }

  demandRow(sql: string, params: readonly SqlValue[], lost: () => unknown): void {
    if (this.#lent().get(sql, params) === undefined) throw lost();
  }

  /** Called by the committer when the write is over. */
  end(): void {
    this.#open = false;
  }

  #change(sql: string, params: readonly SqlValue[], explain: ((error: unknown) => unknown) | undefined): number {
    try {
      return this.#lent().run(sql, params);
    } catch (error) {
      throw explain?.(error) ?? error;
    }
  }

  #lent(): SqliteStatements {
    if (!this.#open) throw new Fault('internal', 'A transaction was used after its write had ended');
    return this.#statements;
  }
}
