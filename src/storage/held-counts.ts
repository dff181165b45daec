import { monotonicMs } from '../shared/clock.ts';

/** Longer than any answer takes. What nobody has spoken of by then counts. */
const OVERDUE_MS = 60_000;

/** One thing that may come to count, under several names. */
export interface HeldCount {
  readonly names: readonly string[];
  readonly sinceMs: number;
  /** Writes it to the store. */
  readonly keep: () => Promise<void>;
}

/**
 * What is counted in memory until it is known whether it counts, by name. For one process that counts alone: the sum of what its store has and
 * of what is held here is what everybody is judged by, and to look and to hold is one step.
 */
export class HeldCounts {
  readonly #counts = new Map<string, number>();
  readonly #open = new Set<HeldCount>();
  readonly #overdueMs: number;
  /** Moves when counts are being written to the store, and when they have been. */
  writes = 0;

  constructor(overdueMs: number = OVERDUE_MS) {
    this.#overdueMs = overdueMs;
  }

  /** How many are held under a name. */
  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  hold(names: readonly string[], keep: HeldCount['keep']): HeldCount {
    const held: HeldCount = { names, sinceMs: monotonicMs(), keep };
    this.#open.add(held);
    for (const name of names) this.#counts.set(name, this.of(name) + 1);
    return held;
  }

  /** It is held no more, if it was. */
  release(held: HeldCount): void {
    if (!this.#open.delete(held)) return;
    for (const name of held.names) {
      const left = this.of(name) - 1;
      if (left > 0) this.#counts.set(name, left);
      else this.#counts.delete(name);
    }
  }

  /** The oldest one, if nobody has spoken of it for too long. */
  overdue(): HeldCount | undefined {
    const [oldest] = this.#open;
    return oldest !== undefined && monotonicMs() - oldest.sinceMs > this.#overdueMs ? oldest : undefined;
  }
}
