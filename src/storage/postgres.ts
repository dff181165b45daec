import type { Kysely } from 'kysely';
import pg from 'pg';
import { Fault } from '../shared/fault.ts';
import type { Database, SqlValue, StoreLoad, Transaction } from './database.ts';
import { PostgresClient } from './postgres-client.ts';
import { PostgresListener } from './postgres-listener.ts';
import { createQueryBuilder } from './query-dialect.ts';
import { retryPauseMs } from './retry-pause.ts';
import { isRetryable, translatePostgresError, unavailable } from './storage-errors.ts';
import type { Tables } from './tables.ts';

const DEFAULTS = {
  poolMax: 20,
  statementTimeoutMs: 5_000,
  connectTimeoutMs: 3_000,
  idleTimeoutMs: 30_000,
  idleInTransactionTimeoutMs: 10_000,
  retriesMax: 4,
} as const;
const OID_INT8 = 20;
/**
 * With synchronous replication a COMMIT waits for the standby, as long as the client does. When an operator cancels that wait, PostgreSQL warns and
 * calls the transaction committed all the same; this is the place in its source that warns, whatever language it warns in.
 */
const GAVE_UP_WAITING = 'SyncRepWaitForLSN';

/** Times of 0 mean no limit; that is for long works on a connection of their own, such as a migration. */
export interface PostgresOptions {
  readonly url: string;
  readonly poolMax?: number | undefined;
  /** On the server; the client itself gives up a second later. */
  readonly statementTimeoutMs?: number | undefined;
  readonly connectTimeoutMs?: number | undefined;
  /** How long a connection nobody uses is kept. */
  readonly idleTimeoutMs?: number | undefined;
  /** How long the server lets a transaction wait for its next statement: one that was forgotten must not hold its locks. */
  readonly idleInTransactionTimeoutMs?: number | undefined;
  /** How often a write that PostgreSQL undid for a race (40001, 40P01) is run again. */
  readonly retriesMax?: number | undefined;
}

/** int8 as a number: times in seconds and counts stay far below 2^53. */
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === OID_INT8 ? Number : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};

/**
 * Connects to PostgreSQL through a pool. Throws `Fault('storage_unavailable')` when the server does not answer: a server that
 * starts without its database says so at once. A connection lost later is replaced at the next statement.
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const statementTimeoutMs = options.statementTimeoutMs ?? DEFAULTS.statementTimeoutMs;
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolMax ?? DEFAULTS.poolMax,
    connectionTimeoutMillis: options.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs,
    idleTimeoutMillis: options.idleTimeoutMs ?? DEFAULTS.idleTimeoutMs,
    statement_timeout: statementTimeoutMs,
    // The server cannot time out a statement when the network swallowed it: the client's own limit is the longer one.
    query_timeout: statementTimeoutMs === 0 ? 0 : statementTimeoutMs + 1_000,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs ?? DEFAULTS.idleInTransactionTimeoutMs,
    keepAlive: true,
    types,
  });
  // An idle connection that breaks is dropped by the pool; without a listener it would end the process.
  pool.on('error', () => {});
  const database = new PostgresDatabase(pool, options);
  try {
    await database.get('SELECT 1 AS up', []);
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

class PostgresDatabase implements Database {
  readonly engine = 'postgres';
  readonly #pool: pg.Pool;
  readonly #retriesMax: number;
  readonly #anyClient: PostgresClient;
  readonly #options: PostgresOptions;
  readonly #writes = new Set<Promise<unknown>>();
  #query: Kysely<Tables> | undefined;
  #closed: Promise<void> | undefined;

  constructor(pool: pg.Pool, options: PostgresOptions) {
    this.#pool = pool;
    this.#options = options;
    this.#retriesMax = options.retriesMax ?? DEFAULTS.retriesMax;
    this.#anyClient = new PostgresClient(pool);
  }

  get query(): Kysely<Tables> {
    this.#query ??= createQueryBuilder('postgres', (query) => this.#outside(this.#anyClient.execute(query)));
    return this.#query;
  }

  all<Row>(sql: string, params: readonly SqlValue[]): Promise<Row[]> {
    return this.#outside(this.#anyClient.all(sql, params));
  }

  get<Row>(sql: string, params: readonly SqlValue[]): Promise<Row | undefined> {
    return this.#outside(this.#anyClient.get(sql, params));
  }

  run(sql: string, params: readonly SqlValue[]): Promise<number> {
    return this.#outside(this.#anyClient.run(sql, params));
  }

  /**
   * A race that PostgreSQL resolves by undoing this write runs `work` again, up to `retriesMax` times. A write that the synchronous standby did not
   * confirm in time throws, though it may be there later: nobody was told that it is.
   */
  write<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(unavailable('The database is closed'));
    const running = this.#persist(work);
    this.#writes.add(running);
    const forget = (): void => {
      this.#writes.delete(running);
    };
    running.then(forget, forget);
    return running;
  }

  /**
   * Moves with committed changes of `relying_parties`, `keys` and `settings`; triggers raise it in the same transaction, so the
   * writers of these tables wait for one another. A sequence would not make them wait, but it moves before the COMMIT.
   */
  async changeStamp(): Promise<number> {
    const row = await this.get<{ value: number }>('SELECT value FROM change_stamp WHERE id = $1', [1]);
    return row?.value ?? 0;
  }

  /** Connects anew as often as it must; `changeStamp` is told of, and nothing else. */
  listen(onHeard: () => void): PostgresListener {
    const { url, connectTimeoutMs = DEFAULTS.connectTimeoutMs } = this.#options;
    return new PostgresListener({ url, connectTimeoutMs, onHeard });
  }

  /** Other nodes may commit at any moment, and nobody tells us of every row. */
  foreignCommits(): undefined {
    return undefined;
  }

  undoneWrites(): number {
    return 0;
  }

  load(): StoreLoad {
    const { idleCount, totalCount, waitingCount } = this.#pool;
    return { writesWaiting: waitingCount, connections: { idle: idleCount, busy: totalCount - idleCount } };
  }

  close(): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#writes).then(() => this.#pool.end());
    return this.#closed;
  }

  async #persist<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    for (let retry = 1; ; retry += 1) {
      try {
        return await this.#attempt(work);
      } catch (error) {
        if (!isRetryable(error)) throw error;
        if (retry > this.#retriesMax) throw unavailable('PostgreSQL undid the write again and again', error);
      }
      await new Promise((resolve) => setTimeout(resolve, retryPauseMs(retry)));
    }
  }

  async #attempt<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw translatePostgresError(error);
    });
    const tx = new PostgresTransaction(new PostgresClient(client));
    let broken = false;
    // A connection that breaks between two statements announces it here; the next statement fails and tells the caller.
    const markBroken = (): void => {
      broken = true;
    };
    client.on('error', markBroken);
    let isAlone = false;
    const hear = (notice: { readonly routine?: string | undefined }): void => {
      isAlone ||= notice.routine === GAVE_UP_WAITING;
    };
    client.on('notice', hear);
    try {
      await tx.control('BEGIN');
      const result = await work(tx);
      tx.end();
      // A work that swallowed the error of a statement leaves an aborted transaction, which COMMIT silently undoes.
      if ((await tx.control('COMMIT')) !== 'COMMIT') throw new Fault('internal', 'A write hid a failed statement');
      if (isAlone) throw unavailable('The write is on one disk only: no standby confirmed it');
      return result;
    } catch (error) {
      tx.end();
      await tx.control('ROLLBACK').catch(markBroken);
      throw error;
    } finally {
      client.off('error', markBroken);
      client.off('notice', hear);
      client.release(broken);
    }
  }

  async #outside<T>(running: Promise<T>): Promise<T> {
    try {
      return await running;
    } catch (error) {
      throw isRetryable(error) ? unavailable('PostgreSQL undid a statement for a race', error) : error;
    }
  }
}

class PostgresTransaction implements Transaction {
  readonly kind = 'transaction';
  readonly #client: PostgresClient;
  #open = true;
  #query: Kysely<Tables> | undefined;

  constructor(client: PostgresClient) {
    this.#client = client;
  }

  get query(): Kysely<Tables> {
    this.#query ??= createQueryBuilder('postgres', async (query) => this.#lent().execute(query));
    return this.#query;
  }

  async all<Row>(sql: string, params: readonly SqlValue[]): Promise<Row[]> {
    return this.#lent().all(sql, params);
  }

  async get<Row>(sql: string, params: readonly SqlValue[]): Promise<Row | undefined> {
    return this.#lent().get(sql, params);
  }

  async run(sql: string, params: readonly SqlValue[]): Promise<number> {
    return this.#lent().run(sql, params);
  }

  /** Runs BEGIN, COMMIT or ROLLBACK; resolves with what the server did. */
  control(command: 'BEGIN' | 'COMMIT' | 'ROLLBACK'): Promise<string> {
    return this.#client.control(command);
  }

  end(): void {
    this.#open = false;
  }

  #lent(): PostgresClient {
    if (!this.#open) throw new Fault('internal', 'A transaction was used after its write had ended');
    return this.#client;
  }
}
