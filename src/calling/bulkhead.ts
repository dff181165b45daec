import { monotonicMs } from '../shared/clock.ts';

export interface BulkheadRules {
  /** Calls under way at the same time at most. */
  readonly inFlightMax: number;
  /** Calls that wait for a place at most. */
  readonly queueMax: number;
  /** A call that waited this long is not started. */
  readonly queueDeadlineMs: number;
}

interface Waiting {
  readonly start: (place: boolean) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * So many calls at a time and a short queue: a slow service takes no more of this server than its places, and nobody waits
 * longer for one than the deadline.
 */
export class Bulkhead {
  readonly #rules: BulkheadRules;
  readonly #queue: Waiting[] = [];
  #inFlight = 0;

  constructor(rules: BulkheadRules) {
    this.#rules = rules;
  }

  /** Resolves with what the work resolved with, or with `busy` when it was not started. */
  async run<T>(work: () => Promise<T>): Promise<T | 'busy'> {
    if (!(await this.#place())) return 'busy';
    try {
      return await work();
    } finally {
      this.#inFlight -= 1;
      this.#next();
    }
  }

  load(): { readonly inFlight: number; readonly waiting: number } {
    return { inFlight: this.#inFlight, waiting: this.#queue.length };
  }

  /** Whoever gets a place is counted at once: a place given away is never seen as free by somebody who comes in between. */
  #place(): Promise<boolean> {
    const { inFlightMax, queueMax, queueDeadlineMs } = this.#rules;
    if (this.#inFlight < inFlightMax) {
      this.#inFlight += 1;
      return Promise.resolve(true);
    }
    if (this.#queue.length >= queueMax) return Promise.resolve(false);
    const untilMs = monotonicMs() + queueDeadlineMs;
    return new Promise((resolve) => {
      const waiting: Waiting = {
        start: (place) => {
          clearTimeout(waiting.timer);
          // A timer can be late: the deadline counts, not its tick.
          const inTime = place && monotonicMs() <= untilMs;
          if (inTime) this.#inFlight += 1;
          resolve(inTime);
        },
        timer: setTimeout(() => {
          this.#queue.splice(this.#queue.indexOf(waiting), 1);
          resolve(false);
        }, queueDeadlineMs),
      };
      this.#queue.push(waiting);
    });
  }

  #next(): void {
    while (this.#inFlight < this.#rules.inFlightMax && this.#queue.length > 0) this.#queue.shift()?.start(true);
  }
}
