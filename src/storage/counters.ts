/**
 * Atomic counting with expiry, for limits.
 * `take` adds one and returns the new count in one step, so that a hundred parallel guesses see a hundred different numbers;
 * the window starts with the first take and its end is never moved by later ones.
 */
export interface Counters {
  take(name: string, windowSeconds: number): Promise<number>;
  /** The present count, 0 when the window is over. */
  read(name: string): Promise<number>;
  clear(name: string): Promise<void>;
  /** Takes one back that turned out not to count; never below 0, never in a window that is over. */
  giveBack(name: string): Promise<void>;
}
