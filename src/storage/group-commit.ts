import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { monotonicMs } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import { Tally, type TallyReading } from '../shared/tally.ts';
import type { Transaction, WriteTerms } from './database.ts';
import { Gathering } from './gathering.ts';
import type { SqliteStatements } from './sqlite-statements.ts';
import { SqliteTransaction } from './sqlite-transaction.ts';
import { isSqliteBusy, translateSqliteError, unavailable } from './storage-errors.ts';

/** Writes that may wait at once; beyond it the machine is behind and further ones are refused at once. */
const QUEUE_MAX = 10_000;
/** How long another process may hold the write lock before our writes are refused. */
const LOCK_WAIT_MS_MAX = 5_000;
const LOCK_RETRY_MS = 5;
/** A work that awaits anything but its transaction holds up every writer; after this long it is abandoned. */
const WORK_MS_MAX = 5_000;
const GROUP_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256] as const;
const DURABLE: WriteTerms = { durable: true };
const COMMIT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5] as const;

/** What the writer has done since it began: writes that wait now, how many shared each COMMIT, and how long each COMMIT took. */
export interface WriterLoad {
  readonly writesWaiting: number;
  readonly groupSizes: TallyReading;
  readonly commitSeconds: TallyReading;
}

interface Waiting {
  readonly work: (tx: Transaction) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly durable: boolean;
  /** What the work returned, to be handed out after the COMMIT, or what it threw. */
  result: unknown;
  failed: boolean;
}

/**
 * The one writer of a SQLite file in this process.
 *
 * Writes queue; after a turn of the event loop, or some where others come (gathering.ts), everything queued runs in one transaction and shares its fsync, which is
 * left out where nobody of the group needs it (`WriteTerms`). A throw undoes only the changes
 * of its own write: when one throws, the group begins anew, each with a savepoint of its own. Nobody is answered before the COMMIT, those who
 * failed neither.
 */
export class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #statements: SqliteStatements;
  readonly #control: Readonly<
    Record<'begin' | 'commit' | 'rollback' | 'savepoint' | 'release' | 'rollbackTo', StatementSync>
  >;
  readonly #gathering = new Gathering();
  readonly #groupSizes = new Tally(GROUP_SIZES);
  readonly #commitSeconds = new Tally(COMMIT_SECONDS);
  #queue: Waiting[] = [];
  #scheduled = false;
  #closing = false;
  #reading = false;
  /** From the BEGIN of a group until it is committed or undone, also where SQLite has undone it by itself. */
  #writing = false;
  #onIdle: (() => void) | undefined;
  #undone = 0;
  /** Rejects the work that is running now. */
  #abandon: ((reason: unknown) => void) | undefined;

  constructor(database: DatabaseSync, statements: SqliteStatements) {
    this.#database = database;
    this.#statements = statements;
    this.#control = {
      begin: database.prepare('BEGIN IMMEDIATE'),
      commit: database.prepare('COMMIT'),
      rollback: database.prepare('ROLLBACK'),
      savepoint: database.prepare('SAVEPOINT work'),
      release: database.prepare('RELEASE work'),
      rollbackTo: database.prepare('ROLLBACK TO work'),
    };
  }

  write<T>(work: (tx: Transaction) => Promise<T>, { durable }: WriteTerms = DURABLE): Promise<T> {
    if (this.#closing) return Promise.reject(unavailable('The database is closed'));
    if (this.#queue.length >= QUEUE_MAX) {
      return Promise.reject(new Fault('overloaded', 'The storage write queue is full', { retryAfterSeconds: 1 }));
    }
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        work,
        resolve: resolve as (value: unknown) => void,
        reject,
        durable,
        result: undefined,
        failed: false,
      });
      this.#schedule();
    });
  }

  /**
   * The writer's statements for reading, between groups; undefined while one is being written. What a turn of the event loop reads is read in one transaction, for
   * SQLite takes its locks and gives them back at each look-up that stands alone, a third of what that costs. It ends with the turn, or when the next group begins.
   */
  forReading(): SqliteStatements | undefined {
    if (this.#writing) return undefined;
    if (this.#reading) return this.#statements;
    this.#statements.run('BEGIN', []);
    this.#reading = true;
    setImmediate(() => this.#endReading());
    return this.#statements;
  }

  #endReading(): void {
    if (!this.#reading) return;
    this.#reading = false;
    // A read that failed may have ended it already.
    if (this.#database.isTransaction) this.#control.commit.run();
  }

  /** Writes undone since it began, alone or with their group. Rises before another write runs. */
  get undone(): number {
    return this.#undone;
  }

  /** For metrics. */
  load(): WriterLoad {
    return {
      writesWaiting: this.#queue.length,
      groupSizes: this.#groupSizes.read(),
      commitSeconds: this.#commitSeconds.read(),
    };
  }

  /** Refuses new writes and resolves when those already queued are committed. */
  async drain(): Promise<void> {
    this.#closing = true;
    if (this.#scheduled) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#endReading();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#gathering.hold(() => void this.#runGroups());
  }

  async #runGroups(): Promise<void> {
    const group = this.#queue;
    this.#queue = [];
    // To wait for the disk costs more than all else of a small write, in processor time as well.
    const waits = group.some(({ durable }) => durable);
    try {
      // Inside of a transaction SQLite does not change it.
      this.#endReading();
      if (!waits) this.#database.exec('PRAGMA synchronous = NORMAL');
      await this.#begin();
      await this.#runAll(group);
      if (this.#database.isTransaction) this.#commit(group.length);
      for (const { failed, result, resolve, reject } of group) (failed ? reject : resolve)(result);
    } catch (error) {
      this.#undone += group.length;
      if (this.#database.isTransaction) this.#control.rollback.run();
      const fault = translateSqliteError(error);
      for (const waiting of group) waiting.reject(fault);
    }
    // Where the lock was not to be had, somebody may have read since it was given up.
    this.#endReading();
    if (!waits) this.#database.exec('PRAGMA synchronous = FULL');
    this.#writing = false;
    this.#gathering.went(group.length);
    this.#scheduled = false;
    if (this.#queue.length > 0) this.#schedule();
    else this.#onIdle?.();
  }

  #commit(size: number): void {
    const startedMs = monotonicMs();
    this.#control.commit.run();
    this.#groupSizes.count(size);
    this.#commitSeconds.count((monotonicMs() - startedMs) / 1000);
  }

  /** Waits for the lock without blocking the event loop, as SQLite's own busy handler would. */
  async #begin(): Promise<void> {
    const deadline = monotonicMs() + LOCK_WAIT_MS_MAX;
    for (;;) {
      try {
        // Whoever read while this waited has opened another.
        this.#endReading();
        this.#control.begin.run();
        this.#writing = true;
        return;
      } catch (error) {
        if (!isSqliteBusy(error) || monotonicMs() > deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY_MS));
    }
  }

  async #runAll(group: readonly Waiting[]): Promise<void> {
    if (await this.#inTime(this.#runTogether(group))) return;
    // Seldom: a code used twice, a mandate that has just ended. Savepoints for all cost each write a tenth.
    this.#undone += group.length;
    await this.#begin();
    await this.#inTime(this.#runApart(group));
  }

  async #inTime<T>(running: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#abandon?.(new Fault('internal', 'A write awaited too long')), WORK_MS_MAX);
    try {
      return await running;
    } finally {
      clearTimeout(timer);
    }
  }

  /** False when a write has thrown: then nothing is left of any, unless there was but one. */
  async #runTogether(group: readonly Waiting[]): Promise<boolean> {
    for (const waiting of group) {
      await this.#runOne(waiting);
      if (!this.#database.isTransaction) throw waiting.result;
      if (!waiting.failed) continue;
      this.#control.rollback.run();
      return group.length === 1;
    }
    return true;
  }

  async #runApart(group: readonly Waiting[]): Promise<void> {
    for (const waiting of group) {
      this.#control.savepoint.run();
      await this.#runOne(waiting);
      // A full disk or a failed read makes SQLite undo the whole transaction: the neighbours' changes are gone as well.
      if (!this.#database.isTransaction) throw waiting.result;
      if (waiting.failed) this.#control.rollbackTo.run();
      this.#control.release.run();
    }
  }

  /**
   * Runs one work to its end. Nothing is thrown: a failure stands in `waiting`. Its caller is told after the COMMIT as well: who has
   * lost to a neighbour must find what the neighbour wrote, and not what stood there before.
   */
  async #runOne(waiting: Waiting): Promise<void> {
    const tx = new SqliteTransaction(this.#statements);
    waiting.failed = false;
    try {
      waiting.result = await new Promise((resolve, reject) => {
        this.#abandon = reject;
        waiting.work(tx).then(resolve, reject);
      });
    } catch (reason) {
      waiting.result = reason;
      waiting.failed = true;
      this.#undone += 1;
    }
    tx.end();
  }
}
