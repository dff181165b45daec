import type { Database, Transaction } from '../storage/database.ts';
import { timeOf } from './sequencing/ledger-standing.ts';

const STEP_MS_MIN = 1_000;

const NEWEST: Readonly<Record<Database['engine'], string>> = {
  sqlite: 'SELECT entry FROM ledger_entries ORDER BY seq DESC LIMIT $1',
  postgres: `SELECT coalesce((SELECT entry FROM ledger_inbox ORDER BY id DESC LIMIT $1),
    (SELECT entry FROM ledger_entries ORDER BY seq DESC LIMIT $1)) AS entry`,
};

/**
 * Notices that the clock has gone back behind what it has dated (X8). An entry dated back with nothing before it that tells why is
 * what a verifier takes for tampering (L14), and a watch that looks once a second comes too late for the entries of that second.
 * A process that begins compares itself with the newest entry there is: the clock may have been set while nobody ran.
 */
export class EntryClock {
  readonly #engine: Database['engine'];
  /**
   * The latest date this process knows of. Undefined where the store has to be asked: at the beginning, and after a step, since
   * the transaction that told of it may have been undone.
   */
  #newestMs: number | undefined;

  constructor(engine: Database['engine']) {
    this.#engine = engine;
  }

  /** Whether an entry dated `nowMs` follows what this process has dated; without waiting, and false where the store has to be asked. */
  isInOrder(nowMs: number): boolean {
    if (this.#newestMs === undefined || this.#newestMs - nowMs > STEP_MS_MIN) return false;
    this.#newestMs = Math.max(this.#newestMs, nowMs);
    return true;
  }

  /** How far back an entry dated `nowMs` lies, in milliseconds below zero, when that has to be told first; else undefined. */
  async stepBefore(tx: Transaction, nowMs: number): Promise<number | undefined> {
    const newestMs = this.#newestMs ?? (await this.#stored(tx)) ?? nowMs;
    const isBehind = newestMs - nowMs > STEP_MS_MIN;
    this.#newestMs = isBehind ? undefined : Math.max(newestMs, nowMs);
    return isBehind ? nowMs - newestMs : undefined;
  }

  /** For an entry that itself tells of a step. */
  told(): void {
    this.#newestMs = undefined;
  }

  async #stored(tx: Transaction): Promise<number | undefined> {
    const newest = await tx.get<{ entry: string | null }>(NEWEST[this.#engine], [1]);
    return newest?.entry == null ? undefined : timeOf(newest.entry);
  }
}
