import { monotonicMs } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { timeOf } from './ledger-standing.ts';

const STEP_MS_MIN = 1_000;

const NEWEST: Readonly<Record<Database['engine'], string>> = {
  sqlite: 'SELECT entry FROM ledger_entries ORDER BY seq DESC LIMIT $1',
  postgres: `SELECT coalesce((SELECT entry FROM ledger_inbox ORDER BY id DESC LIMIT $1),
    (SELECT entry FROM ledger_entries ORDER BY seq DESC LIMIT $1)) AS entry`,
};

/**
 * Notices that the clock entries are dated by has jumped since the last one (X8). An entry dated back with nothing before it that
 * tells why is what a verifier takes for tampering (L14), and a watch that looks once a second comes too late for the entries of
 * that second. A process that begins compares itself with the newest entry: the clock may have been set while nobody ran.
 */
export class EntryClock {
  readonly #engine: Database['engine'];
  /** By how much the clock of the machine was ahead of the monotonic one at the last entry. */
  #offsetMs: number | undefined;
  /** The store has to be asked: at the beginning, and after a step, since the transaction that told of it may have been undone. */
  #isUnsure = true;

  constructor(engine: Database['engine']) {
    this.#engine = engine;
  }

  /** By how many milliseconds the clock jumped before this entry, dated `nowMs`; undefined when it did not. */
  async stepBefore(tx: Transaction, nowMs: number): Promise<number | undefined> {
    const offsetMs = nowMs - monotonicMs();
    let stepMs = Math.round(offsetMs - (this.#offsetMs ?? offsetMs));
    if (this.#isUnsure && Math.abs(stepMs) <= STEP_MS_MIN) stepMs = await this.#behind(tx, nowMs);
    this.#offsetMs = offsetMs;
    this.#isUnsure = Math.abs(stepMs) > STEP_MS_MIN;
    return this.#isUnsure ? stepMs : undefined;
  }

  /** For an entry that itself tells of a step. */
  told(nowMs: number): void {
    this.#offsetMs = nowMs - monotonicMs();
    this.#isUnsure = true;
  }

  /** How far back from the newest entry it is; 0 when it is not. */
  async #behind(tx: Transaction, nowMs: number): Promise<number> {
    const newest = await tx.get<{ entry: string | null }>(NEWEST[this.#engine], [1]);
    const newestMs = newest?.entry == null ? undefined : timeOf(newest.entry);
    return newestMs === undefined ? 0 : Math.min(0, nowMs - newestMs);
  }
}
