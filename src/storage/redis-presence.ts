import { monotonicMs } from '../shared/clock.ts';

/** Whether Redis answers, for how long it has not, and how often it was given up since the start. */
export interface RedisReading {
  readonly isAway: boolean;
  readonly awayMs: number;
  readonly timesAway: number;
}

/** What this process knows of its Redis. */
export interface RedisPresence {
  /** Asks Redis once, unless it is known to be away: where nobody uses it, nobody else would notice. */
  look(): Promise<RedisReading>;
  /** Whoever called last is told of each change. */
  listen(listener: (isAway: boolean, awayMs: number) => void): void;
}

/** The presence, and what tells it of changes. `ask` rejects when Redis does not answer, after it has told of that. */
export function createRedisPresence(ask: () => Promise<unknown>): RedisPresence & { change(isAway: boolean): void } {
  let awaySinceMs: number | undefined;
  let timesAway = 0;
  let listener: ((isAway: boolean, awayMs: number) => void) | undefined;
  const awayMs = (): number => (awaySinceMs === undefined ? 0 : monotonicMs() - awaySinceMs);
  return {
    async look() {
      // Its failure is told by `change`, and a time-out of our own reading is no verdict.
      if (awaySinceMs === undefined) await ask().catch(() => undefined);
      return { isAway: awaySinceMs !== undefined, awayMs: awayMs(), timesAway };
    },
    listen(told) {
      listener = told;
    },
    change(isAway) {
      const wasAwayMs = awayMs();
      awaySinceMs = isAway ? monotonicMs() : undefined;
      if (isAway) timesAway += 1;
      listener?.(isAway, wasAwayMs);
    },
  };
}
