import type { Transaction } from './database.ts';

/** How much of something may be had within a window. */
export interface Allowance {
  readonly name: string;
  readonly max: number;
  readonly windowSeconds: number;
}

/** What changes when an attempt turned out right, by name. */
export interface Settled {
  /** Start anew. */
  readonly cleared: readonly string[];
  /** Get one back that turned out not to count; never below 0, never in a window that is over. */
  readonly returned: readonly string[];
}

/**
 * Atomic counting with expiry, for limits.
 * `take` adds one and returns the new count in one step, so that a hundred parallel guesses see a hundred different numbers;
 * the window starts with the first take and its end is never moved by later ones.
 */
export interface Counters {
  take(name: string, windowSeconds: number): Promise<number>;
  /**
   * Takes one from each in turn and stops at the first that is used up: what is refused must not fill the longer windows behind it. Their names
   * are different ones.
   * Resolves with the place of that one, or -1 when all had one left.
   */
  takeWithin(allowances: readonly Allowance[]): Promise<number>;
  /** The present count, 0 when the window is over. */
  read(name: string): Promise<number>;
  /** The same of several in their order, in one look where the store can. */
  readAll(names: readonly string[]): Promise<readonly number[]>;
  /** With the COMMIT of the caller's transaction where there is one, which only counters in that store take. */
  settle(settled: Settled, tx?: Transaction): Promise<void>;
  /** Whether `settle` may be handed a transaction. */
  readonly settlesInside: boolean;
}

/** `takeWithin` out of single takes: for stores where each is a step of its own. */
export async function takeInTurn(take: Counters['take'], allowances: readonly Allowance[]): Promise<number> {
  for (const [place, { name, max, windowSeconds }] of allowances.entries()) {
    if ((await take(name, windowSeconds)) > max) return place;
  }
  return -1;
}

/** `settle` out of single changes: for stores where each is a step of its own. */
export async function settleSingly(
  { cleared, returned }: Settled,
  clear: (name: string) => Promise<void>,
  giveBack: (name: string) => Promise<void>,
): Promise<void> {
  await Promise.all([...cleared.map(clear), ...returned.map(giveBack)]);
}
