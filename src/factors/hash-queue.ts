import { availableParallelism } from 'node:os';

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
  /** For metrics: hashes running, waiting, and started since the process began. */
  load(): { readonly running: number; readonly waiting: number; readonly started: number };
}

interface Waiting {
  readonly start: () => void;
  readonly timer: NodeJS.Timeout;
}

const BUSY = { state: 'busy' } as const;

export function createHashQueue({ hashesAtOnce, queueMax, queueDeadlineMs }: HashQueueOptions): HashQueue {
  const limit = hashesAtOnce > 0 ? hashesAtOnce : Math.max(1, availableParallelism() - 1);
  const waiting: Waiting[] = [];
  let running = 0;
  let started = 0;

  const release = (): void => {
    running -= 1;
    const next = waiting.shift();
    if (next === undefined) return;
    clearTimeout(next.timer);
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
        timer: setTimeout(() => {
          waiting.splice(waiting.indexOf(place), 1);
          resolve(BUSY);
        }, queueDeadlineMs),
      };
      waiting.push(place);
    });

  return {
    async run(work) {
      if (running < limit) return begin(work);
      return waiting.length < queueMax ? wait(work) : BUSY;
    },
    load: () => ({ running, waiting: waiting.length, started }),
  };
}
