import type { Kysely } from 'kysely';
import type { TallyReading } from '../shared/tally.ts';
import type { Tables } from './tables.ts';

/** What a column holds and a parameter may be, on every engine. Times are whole seconds, truth values 0 or 1. */
export type SqlValue = string | number | null | Uint8Array;

/**
 * A place to run statements: committed data outside a transaction, the transaction's own view inside one.
 * Hot paths use `all`, `get` and `run` with PostgreSQL-style `$1` parameters; the text is prepared once and cached, so it
 * must be a constant. Everything else uses the typed `query`.
 */
export interface Connection {
  readonly query: Kysely<Tables>;
  all<Row>(sql: string, params: readonly SqlValue[]): Promise<Row[]>;
  get<Row>(sql: string, params: readonly SqlValue[]): Promise<Row | undefined>;
  /** Runs a statement that returns no rows. Resolves with the number of rows it changed: the witness of a compare-and-set. */
  run(sql: string, params: readonly SqlValue[]): Promise<number>;
}

/**
 * A connection inside a transaction. What nobody has to wait for is said with `post` and `demand`: such statements are carried out in order, with the
 * next one that is waited for or with the COMMIT, and on PostgreSQL a write that waits for nothing is one message, which shares its COMMIT
 * with its neighbours. Neither is for guarded rows whose change must be read first (guarded-database.ts).
 */
export interface Transaction extends Connection {
  readonly kind: 'transaction';
  /** A failure undoes the write, which then throws it, or what `explain` makes of it. */
  post(sql: string, params: readonly SqlValue[], explain?: (error: unknown) => unknown): void;
  /**
   * The same, said together with the COMMIT: for rows that many share, whose locks must not be held while this write waits for answers. Writes that share
   * a transaction say theirs in the order of `order`, in which everybody takes these locks, so that nobody waits in a circle.
   */
  postLast(sql: string, params: readonly SqlValue[], order: string): void;
  /**
   * A compare-and-set: a statement that changes rows, or else the write is undone and throws what `lost` makes. Without `RETURNING`, and
   * its parameters begin with what names the row.
   */
  demand(sql: string, params: readonly SqlValue[], lost: () => unknown, explain?: (error: unknown) => unknown): void;
  /** The same of a look: where this SELECT finds no row. Whatever it locks stays so until the COMMIT; on guarded rows it is not judged, and says so. */
  demandRow(sql: string, params: readonly SqlValue[], lost: () => unknown): void;
}

/**
 * The relational store. One schema, two engines.
 *
 * `write` resolves after the COMMIT is durable, so an answer given afterwards is a promise kept across a power cut. On SQLite
 * writes that arrive together share one transaction (group commit), and a failing one takes only its own changes with it. Therefore `work`
 * awaits nothing but the transaction it is given. It may be run again when it was undone for another's sake, a neighbour that failed on SQLite
 * or a lost race on PostgreSQL: what it leaves outside the transaction is as if it had run once.
 * A store that cannot be reached or is full throws `Fault('storage_unavailable')`.
 */
export interface Database extends Connection {
  readonly engine: 'sqlite' | 'postgres';
  write<T>(work: (tx: Transaction) => Promise<T>, terms?: WriteTerms): Promise<T>;
  /** A number that changes when another connection or process has committed: caches ask it before they answer. */
  changeStamp(): Promise<number>;
  /**
   * Calls back when the store tells that the change stamp moved, and whenever it may have done so unheard. A hint that comes early and may not
   * come at all: who needs to know looks as well (change-watch.ts). Never calls where the engine cannot tell (SQLite).
   */
  listen(onHeard: () => void): { stop(): Promise<void> };
  /**
   * A number that changes when another process has committed to this store, asked at most once per turn of the event loop.
   * Undefined where that cannot be told: then no row may be kept in memory.
   */
  foreignCommits(): number | undefined;
  /**
   * How many writes of this process were undone so far, for whoever keeps in memory what a write still under way has made. Where
   * `foreignCommits` is undefined nothing is kept, and nothing counted.
   */
  undoneWrites(): number;
  /** For metrics: writes that wait now; groups and their COMMITs since the start (SQLite); connections (PostgreSQL). */
  load(): StoreLoad;
  close(): Promise<void>;
}

export interface WriteTerms {
  /**
   * False for what may wait for the next COMMIT to become durable: a crash of the process loses nothing of it, a power cut what came after the last
   * write of anybody's that is. For who says nothing to anybody before such a write.
   */
  readonly durable: boolean;
}

export interface StoreLoad {
  readonly writesWaiting: number;
  readonly groupSizes?: TallyReading;
  readonly commitSeconds?: TallyReading;
  readonly connections?: { readonly idle: number; readonly busy: number };
}
