import { monotonicMs, nowSeconds } from '../shared/clock.ts';
import { type Allowance, type Held, type Settled, takenOf } from './counters.ts';
import type { Transaction } from './database.ts';

/** Longer than any answer takes. What nobody has spoken of by then counts. */
const OVERDUE_MS = 60_000;

/** What the store has of a counter whose window goes on. */
export interface StoredCount {
  readonly value: number;
  /** Epoch seconds. */
  readonly expiresAt: number;
}

/** One thing that may come to count, under several names. */
export interface HeldCount {
  readonly allowances: readonly Allowance[];
  readonly sinceMs: number;
  /** Writes it to the store. */
  readonly keep: () => Promise<void>;
}

/** A counter that somebody is about to change. */
interface Live {
  stored: number;
  expiresAt: number;
  held: number;
  /** How many hold it or are writing it: with the last it goes, and the store is asked again. */
  uses: number;
}

/**
 * The counters of one process that counts alone, as long as something of them is held: what is held, and what the store has or is about to have. So
 * whatever is under way, who looks has one sum, and to look and to hold is one step.
 */
export class HeldCounts {
  readonly #live = new Map<string, Live>();
  readonly #open = new Set<HeldCount>();
  readonly #overdueMs: number;

  constructor(overdueMs: number = OVERDUE_MS) {
    this.#overdueMs = overdueMs;
  }

  /** What counts under a name by now; `stored` is what the store said a moment ago. */
  sum(name: string, stored: StoredCount | undefined): number {
    const live = this.#live.get(name);
    return live === undefined ? (stored?.value ?? 0) : storedIn(live) + live.held;
  }

  /** What the store has under a name that is held, or is about to have. */
  stored(name: string): number {
    const live = this.#live.get(name);
    return live === undefined ? 0 : storedIn(live);
  }

  /** `stored`: what the store said of each, in their order. */
  hold(
    allowances: readonly Allowance[],
    stored: readonly (StoredCount | undefined)[],
    keep: HeldCount['keep'],
  ): HeldCount {
    for (const [at, { name }] of allowances.entries()) {
      const { value = 0, expiresAt = 0 } = stored[at] ?? {};
      const live = this.#live.get(name) ?? { stored: value, expiresAt, held: 0, uses: 0 };
      live.held += 1;
      live.uses += 1;
      this.#live.set(name, live);
    }
    const count: HeldCount = { allowances, sinceMs: monotonicMs(), keep };
    this.#open.add(count);
    return count;
  }

  /** It counts, whoever looks from now on; `end` when the store has it. False when it was spoken of before. */
  count(count: HeldCount): boolean {
    if (!this.#open.delete(count)) return false;
    const now = nowSeconds();
    for (const { name, windowSeconds } of count.allowances) {
      const live = this.#live.get(name)!;
      if (live.expiresAt <= now) [live.stored, live.expiresAt] = [0, now + windowSeconds + 1];
      live.stored += 1;
      live.held -= 1;
    }
    return true;
  }

  /** It does not count. */
  drop(count: HeldCount): void {
    if (!this.#open.delete(count)) return;
    for (const { name } of count.allowances) this.#live.get(name)!.held -= 1;
    this.end(count);
  }

  /** Nothing of it is under way any more. */
  end({ allowances }: HeldCount): void {
    for (const { name } of allowances) {
      const live = this.#live.get(name)!;
      live.uses -= 1;
      if (live.uses === 0) this.#live.delete(name);
    }
  }

  /** What the store is about to have less. */
  takeBack({ cleared, returned }: Settled): void {
    for (const name of [...cleared, ...returned]) {
      const live = this.#live.get(name);
      if (live !== undefined) live.stored = cleared.includes(name) ? 0 : Math.max(0, live.stored - 1);
    }
  }

  /** The oldest one, if nobody has spoken of it for too long. */
  overdue(): HeldCount | undefined {
    const [oldest] = this.#open;
    return oldest !== undefined && monotonicMs() - oldest.sinceMs > this.#overdueMs ? oldest : undefined;
  }
}

const storedIn = ({ stored, expiresAt }: Live): number => (expiresAt > nowSeconds() ? stored : 0);

export interface HoldingSources {
  readonly held: HeldCounts;
  /** What the store has, in the order of the names; undefined where no window goes on. */
  readonly read: (names: readonly string[]) => Promise<readonly (StoredCount | undefined)[]>;
  /** Takes one of each. */
  readonly write: (taken: readonly Allowance[]) => Promise<void>;
  readonly settle: (settled: Settled, tx?: Transaction) => Promise<void>;
}

/**
 * `Counters.hold` for a process that counts alone. From the answer of the store to the end it is one step, so that a hundred at once see a hundred
 * different sums (D7).
 */
export function createHolding(sources: HoldingSources): (allowances: readonly Allowance[]) => Promise<Held> {
  const { held, read, write, settle } = sources;
  return async (allowances) => {
    await held.overdue()?.keep();
    const names = allowances.map(({ name }) => name);
    const stored = await read(names);
    const sums = names.map((name, at) => held.sum(name, stored[at]));
    const { place, taken } = takenOf(allowances, sums);
    const writeTaken = async (): Promise<void> => {
      try {
        await write(taken);
      } finally {
        // A turn later: who looked into the store before this was there must still find it here.
        setImmediate(() => held.end(count));
      }
    };
    let kept: Promise<void> | undefined;
    const count = held.hold(taken, stored, () => {
      kept ??= held.count(count) ? writeTaken() : Promise.resolve();
      return kept;
    });
    /** Found out once, for a write may be run again. */
    let left: Settled | undefined;
    return {
      place,
      keep: count.keep,
      async settle({ cleared, returned }, tx) {
        left ??= kept
          ? { cleared, returned }
          : { cleared: cleared.filter((name) => held.stored(name) > 0), returned: [] };
        held.drop(count);
        if (left.cleared.length + left.returned.length > 0) await settle(left, tx);
      },
    };
  };
}
