import { randomSecret } from '../shared/random.ts';

/** When a failed delivery is tried again, and when it is given up. */
export interface RetrySchedule {
  /** The pause before the first retry; each later one is twice as long. */
  readonly firstSeconds: number;
  readonly longestSeconds: number;
  readonly attemptsMax: number;
  /** Counted from the enqueueing. */
  readonly giveUpSeconds: number;
}

/** 2 s, 4 s, ... half an hour, for one day: some sixty attempts. */
export const ONE_DAY: RetrySchedule = { firstSeconds: 2, longestSeconds: 1800, attemptsMax: 64, giveUpSeconds: 86_400 };

/**
 * Seconds from now to the next attempt after `attempts` failed ones, or undefined to give up. The upper half of the pause is random, so
 * that a portal coming back is not met by all its deliveries at once.
 */
export function nextPause(schedule: RetrySchedule, attempts: number, ageSeconds: number): number | undefined {
  if (attempts >= schedule.attemptsMax) return undefined;
  const longest = Math.min(schedule.longestSeconds, schedule.firstSeconds * 2 ** Math.min(attempts - 1, 30));
  const jitter = randomSecret(4).readUInt32BE() / 2 ** 32;
  const pause = Math.max(1, Math.round(longest * (0.5 + jitter / 2)));
  return ageSeconds + pause > schedule.giveUpSeconds ? undefined : pause;
}
