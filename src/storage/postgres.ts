import type { Kysely } from 'kysely';
import pg from 'pg';
import type { Database, SqlValue, StoreLoad, Transaction } from './database.ts';
import { type Answer, carryOut, control, passingStatement, type Statement, statement } from './postgres-batch.ts';
import { type Lender, PostgresCommits } from './postgres-commits.ts';
import { PostgresListener } from './postgres-listener.ts';
import { PostgresReads } from './postgres-reads.ts';
import { PostgresTransaction } from './postgres-transaction.ts';
import { createQueryBuilder } from './query-dialect.ts';
import { retryPauseMs } from './retry-pause.ts';
import { isRetryable, translatePostgresError, unavailable, unavailableOf } from './storage-errors.ts';
import type { Tables } from './tables.ts';

const DEFAULTS = {
  poolMax: 20,
  statementTimeoutMs: 5_000,
  connectTimeoutMs: 3_000,
  idleTimeoutMs: 30_000,
  idleInTransactionTimeoutMs: 10_000,
  retriesMax: 4,
} as const;
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

class PostgresDatabase implements Database, Lender {
  readonly engine = 'postgres';
  readonly #pool: pg.Pool;
  readonly #retriesMax: number;
  readonly #options: PostgresOptions;
  readonly #reads = new PostgresReads(this);
  readonly #commits = new PostgresCommits(this);
  readonly #writes = new Set<Promise<unknown>>();
  /** Connections on which a COMMIT gave up waiting for the standby. */
  readonly #unconfirmed = new WeakSet<pg.ClientBase>();
  #query: Kysely<Tables> | undefined;
  #closed: Promise<void> | undefined;

  constructor(pool: pg.Pool, options: PostgresOptions) {
    this.#pool = pool;
    this.#options = options;
    this.#retriesMax = options.retriesMax ?? DEFAULTS.retriesMax;
    pool.on('connect', (client) => {
      // A connection that breaks between two statements announces it here; the next statement fails and tells the caller.
      client.on('error', () => {});
      client.on('notice', ({ routine }) => {
        if (routine === GAVE_UP_WAITING) this.#unconfirmed.add(client);
      });
    });
  }

  get query(): Kysely<Tables> {
    this.#query ??= createQueryBuilder('postgres', async ({ sql, parameters }) => {
      const { rows, count } = await this.#alone(passingStatement(sql, parameters as readonly SqlValue[]));
      return { rows: [...rows], numAffectedRows: BigInt(count) };
    });
    return this.#query;
  }

  async all<Row>(sql: string, params: readonly SqlValue[]): Promise<Row[]> {
    return (await this.#read(statement(sql, params))).rows as Row[];
  }

  async get<Row>(sql: string, params: readonly SqlValue[]): Promise<Row | undefined> {
    return (await this.#read(statement(sql, params))).rows[0] as Row | undefined;
  }

  async run(sql: string, params: readonly SqlValue[]): Promise<number> {
    return (await this.#alone(statement(sql, params))).count;
  }

  /**
   * A race that PostgreSQL resolves by undoing this write runs `work` again, up to `retriesMax` times. A write that the synchronous standby did not
   * confirm in time throws, though it may be there later: nobody was told that it is.
   */
  write<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(unavailable('The database is closed'));
    const running = this.#persist(() => this.#attempt(work));
    this.#writes.add(running);
    const forget = (): void => {
      this.#writes.delete(running);
    };
    running.then(forget, forget);
    return running;
  }

  /** For one message, or one transaction. A connection on which the store failed is not used again. */
  async lend<T>(work: (client: pg.PoolClient, confirm: () => void) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    let isBroken = false;
    try {
      return await work(client, () => this.#confirm(client));
    } catch (error) {
      isBroken = unavailableOf(error) !== undefined;
      throw error;
    } finally {
      client.release(isBroken);
    }
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

  async #persist<T>(attempt: () => Promise<T>): Promise<T> {
    for (let retry = 1; ; retry += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (!isRetryable(error)) throw error;
        if (retry > this.#retriesMax) throw unavailable('PostgreSQL undid the write again and again', error);
      }
      await new Promise((resolve) => setTimeout(resolve, retryPauseMs(retry)));
    }
  }

  async #attempt<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    let client: pg.PoolClient | undefined;
    let isBroken = false;
    const tx = new PostgresTransaction(async () => {
      client = await this.#connect();
      return client;
    });
    try {
      const result = await work(tx);
      await tx.end();
      if (client !== undefined) {
        await tx.commit(client);
        this.#confirm(client);
      } else if (tx.posted.length > 0) await this.#commits.add(tx.posted);
      return result;
    } catch (error) {
      await tx.end();
      if (client !== undefined) isBroken = (await carryOut(client, [control('ROLLBACK')])).failed !== undefined;
      throw error;
    } finally {
      client?.release(isBroken);
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      const client = await this.#pool.connect();
      this.#unconfirmed.delete(client);
      return client;
    } catch (error) {
      throw translatePostgresError(error);
    }
  }

  #confirm(client: pg.ClientBase): void {
    if (this.#unconfirmed.has(client)) throw unavailable('The write is on one disk only: no standby confirmed it');
  }

  /** What changes rows by itself shares its transaction with nobody, and is run again when it lost a race. */
  #alone(statement: Statement): Promise<Answer> {
    return this.#persist(() =>
      this.lend(async (client, confirm) => {
        const { answers, failed } = await carryOut(client, [statement]);
        if (failed !== undefined) throw translatePostgresError(failed.error);
        confirm();
        return answers[0]!;
      }),
    );
  }

  #read(statement: Statement): Promise<Answer> {
    return statement.text.startsWith('SELECT ') ? this.#reads.ask(statement) : this.#alone(statement);
  }
}
