import { availableParallelism } from 'node:os';
import { monotonicMs } from '../shared/clock.ts';

/** How many password hashes run and wait. `hashesAtOnce` 0 means processor cores less one, at least one. */
export interface HashQueueOptions {
  readonly hashesAtOnce: number;
  readonly queueMax: number;
  readonly queueDeadlineMs: number;
}

/**
 * Where a hash gets its turn: places of this process alone, or those that all workers of a machine share. `share` is how many of them this
 * process may count on when everybody is busy.
 */
export interface HashPlaces {
  readonly share: number;
  /** Calls back once, perhaps at once, when there is a place; whoever needs it no more gives it back. */
  ask(granted: () => void): void;
  giveBack(): void;
}

function ownPlaces(count: number): HashPlaces {
  const asking: (() => void)[] = [];
  let free = count;
  const lend = (): void => {
    while (free > 0 && asking.length > 0) {
      free -= 1;
      asking.shift()!();
    }
  };
  return {
    share: count,
    ask(granted) {
      asking.push(granted);
      lend();
    },
    giveBack() {
      free += 1;
      lend();
    },
  };
}

export type Queued<T> = { readonly state: 'done'; readonly value: T } | { readonly state: 'busy' };

/**
 * For whom a hash is. `known`: somebody signed in, on a device of theirs, or who has done the work that strangers are asked for under
 * suspicion; they go first, with places of their own, so that a crowd at the door does not keep them out (X6, P7).
 */
export type HashFor = 'known' | 'stranger';

/**
 * Lets few hashes run at once. A hash takes a thread that file access and token signing need too: with as many hashes as cores
 * the service stalls for everybody already signed in (R3). What finds the queue full, would wait past the deadline by all that is known, or
 * has, is answered `busy` at once and never starts.
 */
export interface HashQueue {
  run<T>(work: () => Promise<T>, who?: HashFor): Promise<Queued<T>>;
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

/** Of so many turns while both wait, one is a stranger's: they wait longer, and not for ever. */
const TURNS = 5;
/** How much the newest hash moves what one is expected to take. */
const NEWEST_SHARE = 0.1;

export function createHashQueue(
  { hashesAtOnce, queueMax, queueDeadlineMs }: HashQueueOptions,
  places: HashPlaces = ownPlaces(hashesAtOnce > 0 ? hashesAtOnce : Math.max(1, availableParallelism() - 1)),
): HashQueue {
  const lines: Readonly<Record<HashFor, Waiting[]>> = { known: [], stranger: [] };
  let running = 0;
  let started = 0;
  let refused = 0;
  let waitedMs = 0;
  let turn = 0;
  let expectedMs = 0;

  const refuse = (): typeof BUSY => {
    refused += 1;
    return BUSY;
  };

  const next = (): Waiting | undefined => {
    const { known, stranger } = lines;
    if (known.length === 0 || stranger.length === 0) return known.shift() ?? stranger.shift();
    turn = (turn + 1) % TURNS;
    return turn === 0 ? stranger.shift() : known.shift();
  };

  /** A place goes to whoever should be next now, which need not be who asked for it; or back, when they have all given up. */
  const granted = (): void => {
    const waiting = next();
    if (waiting === undefined) {
      places.giveBack();
      return;
    }
    clearTimeout(waiting.timer);
    waitedMs += monotonicMs() - waiting.sinceMs;
    waiting.start();
  };

  const begin = async <T>(work: () => Promise<T>): Promise<Queued<T>> => {
    running += 1;
    started += 1;
    const sinceMs = monotonicMs();
    try {
      return { state: 'done', value: await work() };
    } finally {
      const tookMs = monotonicMs() - sinceMs;
      expectedMs = expectedMs === 0 ? tookMs : expectedMs + (tookMs - expectedMs) * NEWEST_SHARE;
      running -= 1;
      places.giveBack();
    }
  };

  const wait = <T>(work: () => Promise<T>, line: Waiting[]): Promise<Queued<T>> =>
    new Promise((resolve) => {
      const place: Waiting = {
        start: () => resolve(begin(work)),
        sinceMs: monotonicMs(),
        timer: setTimeout(() => {
          line.splice(line.indexOf(place), 1);
          waitedMs += monotonicMs() - place.sinceMs;
          resolve(refuse());
        }, queueDeadlineMs),
      };
      line.push(place);
      places.ask(granted);
    });

  /** Whoever cannot be served in time is told so now: a refusal after seconds helps nobody. */
  const isHopeless = (who: HashFor): boolean => {
    const ahead = lines.known.length + (who === 'stranger' ? lines.stranger.length : 0);
    return lines[who].length >= queueMax || (ahead / places.share) * expectedMs > queueDeadlineMs;
  };

  return {
    async run(work, who = 'stranger') {
      return isHopeless(who) ? refuse() : wait(work, lines[who]);
    },
    load: () => {
      const since = [lines.known[0], lines.stranger[0]].flatMap((place) => (place === undefined ? [] : place.sinceMs));
      return {
        running,
        waiting: lines.known.length + lines.stranger.length,
        started,
        refused,
        waitedMs,
        oldestMs: since.length === 0 ? 0 : monotonicMs() - Math.min(...since),
      };
    },
  };
}
