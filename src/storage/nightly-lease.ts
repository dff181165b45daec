import { nowMs, nowSeconds } from '../shared/clock.ts';
import type { Connection, Database } from './database.ts';

/** How far one round of a job has come. `counts` are totals by name, such as `mismatch`. */
export interface JobPlace {
  /** What the job itself calls the place it has reached; undefined at the beginning. */
  readonly cursor: string | undefined;
  readonly handled: number;
  /** How many there are in all, as counted at the beginning of the round. */
  readonly total: number;
  readonly counts: Readonly<Record<string, number>>;
  /** Epoch seconds. */
  readonly startedAt: number | undefined;
  /** Epoch seconds; undefined while the round is not done. */
  readonly finishedAt: number | undefined;
}

/** `isHeld`: a process works on it now, or died within the last minute. */
export interface JobStatus extends JobPlace {
  readonly isHeld: boolean;
}

/** Another process has the job now; what was about to be saved is not. */
export class JobLost extends Error {
  override readonly name = 'JobLost';
}

export const JOB_LEASE_MS = 60_000;
/** A lease that ends later than this was taken by a clock that has been set since; nodes differ by seconds (X8). */
const AHEAD_MS_MAX = 3 * JOB_LEASE_MS;

export const UNTOUCHED: JobPlace = {
  cursor: undefined,
  handled: 0,
  total: 0,
  counts: {},
  startedAt: undefined,
  finishedAt: undefined,
};

interface JobRow {
  readonly fence: number;
  readonly lease_until_ms: number;
  readonly place: string | null;
  readonly handled: number;
  readonly total: number;
  readonly counts: string;
  readonly started_at: number | null;
  readonly finished_at: number | null;
}

const INSERT = `INSERT INTO nightly_jobs
  (name, fence, holder, lease_until_ms, place, handled, total, counts, started_at, finished_at)
  VALUES ($1, 0, '', 0, NULL, 0, 0, '{}', NULL, NULL) ON CONFLICT (name) DO NOTHING`;
const FIND = `SELECT fence, lease_until_ms, place, handled, total, counts, started_at, finished_at FROM nightly_jobs
  WHERE name = $1`;
const TAKE =
  'UPDATE nightly_jobs SET fence = fence + 1, holder = $3, lease_until_ms = $4 WHERE name = $1 AND fence = $2';
const HOLD = 'UPDATE nightly_jobs SET lease_until_ms = $3 WHERE name = $1 AND fence = $2';
const SAVE = `UPDATE nightly_jobs SET lease_until_ms = $3, place = $4, handled = $5, total = $6, counts = $7,
  started_at = $8, finished_at = $9 WHERE name = $1 AND fence = $2`;

/**
 * The right to work on one job of the night, for one process of all nodes. The fence, a number that rises with each take-over,
 * stands in the condition of every save, so clocks that differ cost a needless take-over and nothing else.
 */
export class NightlyLease {
  readonly #database: Database;
  readonly #name: string;
  readonly #fence: number;
  #place: JobPlace;

  private constructor(database: Database, name: string, fence: number, place: JobPlace) {
    this.#database = database;
    this.#name = name;
    this.#fence = fence;
    this.#place = place;
  }

  /** Takes the job where nobody has it. Resolves with undefined while somebody does. */
  static async take(database: Database, name: string, holder: string): Promise<NightlyLease | undefined> {
    await database.run(INSERT, [name]);
    const row = await database.get<JobRow>(FIND, [name]);
    if (row === undefined || isHeld(row)) return undefined;
    const fence = Number(row.fence);
    if ((await database.run(TAKE, [name, fence, holder, nowMs() + JOB_LEASE_MS])) === 0) return undefined;
    return new NightlyLease(database, name, fence + 1, placeOf(row));
  }

  get place(): JobPlace {
    return this.#place;
  }

  /** Saves the place and prolongs the lease. Throws `JobLost`. */
  async save(place: JobPlace): Promise<void> {
    await this.#write(place, nowMs() + JOB_LEASE_MS);
  }

  /** Prolongs the lease during a long step. Throws `JobLost`. */
  async renew(): Promise<void> {
    const changed = await this.#database.run(HOLD, [this.#name, this.#fence, nowMs() + JOB_LEASE_MS]);
    if (changed === 0) throw new JobLost();
  }

  /** Lets others go on at once. */
  async release(): Promise<void> {
    await this.#database.run(HOLD, [this.#name, this.#fence, 0]);
  }

  async #write(place: JobPlace, untilMs: number): Promise<void> {
    const { cursor, handled, total, counts, startedAt, finishedAt } = place;
    const values = [cursor ?? null, handled, total, JSON.stringify(counts), startedAt ?? null, finishedAt ?? null];
    if ((await this.#database.run(SAVE, [this.#name, this.#fence, untilMs, ...values])) === 0) throw new JobLost();
    this.#place = place;
  }
}

/** How far a job has come, without touching it; undefined when it never ran. */
export async function nightlyJobStatus(connection: Connection, name: string): Promise<JobStatus | undefined> {
  const row = await connection.get<JobRow>(FIND, [name]);
  return row && { ...placeOf(row), isHeld: isHeld(row) };
}

/** A fresh round, of so many. */
export const freshPlace = (total: number): JobPlace => ({ ...UNTOUCHED, total, startedAt: nowSeconds() });

function isHeld({ lease_until_ms: untilMs }: JobRow): boolean {
  const leftMs = Number(untilMs) - nowMs();
  return leftMs > 0 && leftMs <= AHEAD_MS_MAX;
}

const placeOf = (row: JobRow): JobPlace => ({
  cursor: row.place ?? undefined,
  handled: Number(row.handled),
  total: Number(row.total),
  counts: JSON.parse(row.counts) as Record<string, number>,
  startedAt: row.started_at === null ? undefined : Number(row.started_at),
  finishedAt: row.finished_at === null ? undefined : Number(row.finished_at),
});
