import { availableParallelism } from 'node:os';
import { monotonicMs } from '../shared/clock.ts';

/** How many password hashes run and wait. `hashesAtOnce` 0 means processor cores less one, at least one. */
export interface HashQueueOptions {
  readonly hashesAtOnce: number;
  readonly queueMax: number;
  readonly queueDeadlineMs: number;
}

export type Queued<T> = { readonly state: 'done'; readonly value: T } | { readonly state: 'busy' };

/**
 * Lets few hashes run at once. A hash takes a thread that file access and token signing need too: with as many hashes as cores
 * the service stalls for everybody already signed in (R3). What finds the queue full, or has waited past the deadline, is
 * answered `busy` at once and never starts.
 */
export interface HashQueue {
  run<T>(work: () => Promise<T>): Promise<Queued<T>>;
  /** For metrics and readiness. */
  load(): HashLoad;
}

/** Hashes under way and waiting now; started and refused since the process began. Times in milliseconds. */
export interface HashLoad {
  readonly running: number;
  readonly waiting: number;
  readonly started: number;
  readonly refused: number;
  /** What all hashes together have waited for their turn, and what the one that waits longest has waited so far. */
  readonly waitedMs: number;
  readonly oldestMs: number;
}

interface Waiting {
  readonly start: () => void;
  readonly sinceMs: number;
  readonly timer: NodeJS.Timeout;
}

const BUSY = { state: 'busy' } as const;

export function createHashQueue({ hashesAtOnce, queueMax, queueDeadlineMs }: HashQueueOptions): HashQueue {
  const limit = hashesAtOnce > 0 ? hashesAtOnce : Math.max(1, availableParallelism() - 1);
  const waiting: Waiting[] = [];
  let running = 0;
  let started = 0;
  let refused = 0;
  let waitedMs = 0;

  const refuse = (): typeof BUSY => {
    refused += 1;
    return BUSY;
  };

  const release = (): void => {
    running -= 1;
    const next = waiting.shift();
    if (next === undefined) return;
    clearTimeout(next.timer);
    waitedMs += monotonicMs() - next.sinceMs;
    next.start();
  };

  const begin = async <T>(work: () => Promise<T>): Promise<Queued<T>> => {
    running += 1;
    started += 1;
    try {
      return { state: 'done', value: await work() };
    } finally {
      release();
    }
  };

  const wait = <T>(work: () => Promise<T>): Promise<Queued<T>> =>
    new Promise((resolve) => {
      const place: Waiting = {
        start: () => resolve(begin(work)),
        sinceMs: monotonicMs(),
        timer: setTimeout(() => {
          waiting.splice(waiting.indexOf(place), 1);
          waitedMs += monotonicMs() - place.sinceMs;
          resolve(refuse());
        }, queueDeadlineMs),
      };
      waiting.push(place);
    });

  return {
    async run(work) {
      if (running < limit) return begin(work);
      return waiting.length < queueMax ? wait(work) : refuse();
    },
    load: () => ({
      running,
      waiting: waiting.length,
      started,
      refused,
      waitedMs,
      oldestMs: waiting[0] === undefined ? 0 : monotonicMs() - waiting[0].sinceMs,
    }),
  };
}
