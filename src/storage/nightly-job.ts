import { setTimeout as pause } from 'node:timers/promises';
import { monotonicMs, nowMs, nowSeconds } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import { nightAt } from '../shared/night-window.ts';
import type { Database } from './database.ts';
import { freshPlace, JOB_LEASE_MS, JobLost, type JobPlace, NightlyLease } from './nightly-lease.ts';

/**
 * What one step did. `handled` counts what the step went past, `asked` what it really had judged (that is what the rate limits).
 * A `cursor` of undefined is the end of the round. `stalled`: nothing could be judged just now; the step is tried again after a
 * while, and taken as it is when that was in vain several times.
 */
export interface NightlyStep {
  readonly cursor: string | undefined;
  readonly handled: number;
  readonly asked: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly stalled?: boolean;
}

/**
 * A long walk over many rows in the small hours, shared by the re-check of persons and that of legal persons: one process of all
 * nodes works on it, in steps, at a limited rate, and goes on the next night where it stopped.
 */
export interface NightlyJob {
  /** Names its lease and its place in the store. */
  readonly name: string;
  /** What is judged in a second at most. */
  readonly perSecond: number;
  /** How many a round goes past; asked once at its beginning. */
  count(): Promise<number>;
  /**
   * Works on what comes after `cursor`, judging `limit` at most. After a crash the last step may be done once more, so whatever
   * it changes must bear that. A rejection leaves the place where it was. When `signal` is aborted a long step ends soon, as stalled.
   */
  step(cursor: string | undefined, limit: number, signal?: AbortSignal): Promise<NightlyStep>;
}

/** `finished`: the round is done. `paused`: it goes on later. `busy`: another process works on it. */
export type RoundOutcome = 'finished' | 'paused' | 'busy';

const STEP_ASKED_MAX = 20;
const RENEW_EVERY_MS = JOB_LEASE_MS / 3;
const STALL_PAUSE_MS = 30_000;
/** After so many vain attempts at one place the round goes on behind it: one row that never gets an answer must not hold it all. */
const STALLS_MAX = 5;
const LOOK_EVERY_MS = 30_000;

export interface RoundOptions {
  readonly database: Database;
  readonly job: NightlyJob;
  /** Looked at before each step; the round pauses when it says no. */
  readonly mayGoOn?: () => boolean;
  /** Ends the pauses between steps and the round after the step under way. */
  readonly signal?: AbortSignal;
  /** Judges so many at most, then pauses. */
  readonly askedMax?: number;
  readonly onProgress?: (place: JobPlace) => void;
  readonly stallPauseMs?: number;
}

/** Goes on with the unfinished round, or begins one. Rejects with what a step rejected with. */
export async function runNightlyJob(options: RoundOptions): Promise<RoundOutcome> {
  const { database, job, onProgress } = options;
  const lease = await NightlyLease.take(database, job.name, newId('job'));
  if (lease === undefined) return 'busy';
  let lost = false;
  const renewal = setInterval(() => {
    lease.renew().catch((error: unknown) => {
      lost ||= error instanceof JobLost;
    });
  }, RENEW_EVERY_MS);
  renewal.unref();
  try {
    if (lease.place.startedAt === undefined || lease.place.finishedAt !== undefined) {
      await lease.save(freshPlace(await job.count()));
    }
    onProgress?.(lease.place);
    return await walk(lease, options, () => lost);
  } catch (error) {
    if (error instanceof JobLost) return 'busy';
    throw error;
  } finally {
    clearInterval(renewal);
    await lease.release();
  }
}

async function walk(lease: NightlyLease, options: RoundOptions, isLost: () => boolean): Promise<RoundOutcome> {
  const { job, mayGoOn = () => true, signal, askedMax = Number.MAX_SAFE_INTEGER, onProgress } = options;
  const isEnding = (): boolean => signal?.aborted === true;
  let askedInAll = 0;
  let stalls = 0;
  while (!isLost() && mayGoOn() && !isEnding() && askedInAll < askedMax) {
    const startedMs = monotonicMs();
    const limit = Math.max(1, Math.min(STEP_ASKED_MAX, job.perSecond, askedMax - askedInAll));
    const step = await job.step(lease.place.cursor, limit, signal);
    if (step.stalled === true && (stalls < STALLS_MAX || isEnding())) {
      stalls += 1;
      await rest(options.stallPauseMs ?? STALL_PAUSE_MS, signal);
      continue;
    }
    stalls = 0;
    askedInAll += step.asked;
    await lease.save(placeAfter(lease.place, step));
    onProgress?.(lease.place);
    if (step.cursor === undefined) return 'finished';
    await rest((step.asked / job.perSecond) * 1000 - (monotonicMs() - startedMs), signal);
  }
  return isLost() ? 'busy' : 'paused';
}

function placeAfter(place: JobPlace, { cursor, handled, counts }: NightlyStep): JobPlace {
  const sums: Record<string, number> = { ...place.counts };
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
  return {
    ...place,
    cursor,
    handled: place.handled + handled,
    counts: sums,
    finishedAt: cursor === undefined ? nowSeconds() : undefined,
  };
}

/** Requests go first even when there is nothing to wait for. */
async function rest(ms: number, signal: AbortSignal | undefined, ref = true): Promise<void> {
  await pause(Math.max(0, ms), undefined, { ref, ...(signal && { signal }) }).catch(() => undefined);
}

export interface NightlySchedule {
  readonly database: Database;
  readonly job: NightlyJob;
  /** `HH:MM-HH:MM` in Beijing time. */
  readonly window: string;
  /** Looked at before each look: one process of all begins. */
  readonly isOurs?: () => boolean;
  /** Told when a round broke off; the next look tries again. */
  readonly onFault?: (error: unknown) => void;
  readonly lookEveryMs?: number;
}

export interface RunningNightlyJob {
  /** Resolves when the step under way has ended. */
  stop(): Promise<void>;
}

/** Looks every half minute whether it is night and the round of this night is not done yet; looking keeps no process alive. */
export function startNightlyJob(schedule: NightlySchedule): RunningNightlyJob {
  const { database, job, window, onFault, lookEveryMs = LOOK_EVERY_MS, isOurs = () => true } = schedule;
  const ending = new AbortController();
  const isNight = (): boolean => nightAt(window, nowMs()) !== undefined;

  const look = async (): Promise<void> => {
    const night = nightAt(window, nowMs());
    if (night === undefined || !isOurs() || (await isDone(database, job.name, night.opensMs))) return;
    await runNightlyJob({ database, job, mayGoOn: isNight, signal: ending.signal });
  };
  const rounds = (async () => {
    while (!ending.signal.aborted) {
      await rest(lookEveryMs, ending.signal, false);
      if (!ending.signal.aborted) await look().catch((error: unknown) => onFault?.(error));
    }
  })();
  return {
    async stop() {
      ending.abort();
      await rounds;
    },
  };
}

const FINISHED = 'SELECT finished_at FROM nightly_jobs WHERE name = $1';

/** Whether a round ended since the night began: one a night is enough. */
async function isDone(database: Database, name: string, opensMs: number): Promise<boolean> {
  const row = await database.get<{ finished_at: number | null }>(FINISHED, [name]);
  return row !== undefined && row.finished_at !== null && Number(row.finished_at) * 1000 >= opensMs;
}
