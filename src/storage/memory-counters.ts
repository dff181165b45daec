import { nowMs } from '../shared/clock.ts';
import { type Counters, settleSingly } from './counters.ts';

/** Counters held at once; about 20 MB. An address list of an attacker must not grow the process. */
const COUNTERS_MAX = 100_000;
const LOOKED_AT_MAX = 100;

interface Window {
  value: number;
  readonly endsAtMs: number;
}

/**
 * Counters of one process; they start afresh with it. When full, the oldest go, expired or not: a flood of new
 * names can shorten a window, so limits that guard an account belong into SQL.
 */
export function createMemoryCounters(countersMax: number = COUNTERS_MAX): Counters {
  const windows = new Map<string, Window>();

  const live = (name: string): Window | undefined => {
    const window = windows.get(name);
    if (window === undefined || window.endsAtMs > nowMs()) return window;
    windows.delete(name);
    return undefined;
  };

  const makeRoom = (): void => {
    const now = nowMs();
    let looked = 0;
    // The oldest first, and few at a time: a scan of all of them would hold everybody up.
    for (const [name, window] of windows) {
      if (window.endsAtMs <= now) windows.delete(name);
      looked += 1;
      if (looked === LOOKED_AT_MAX) break;
    }
    let surplus = windows.size - countersMax + 1;
    for (const name of windows.keys()) {
      if (surplus <= 0) break;
      windows.delete(name);
      surplus -= 1;
    }
  };

  const take = (name: string, windowSeconds: number): number => {
    const window = live(name);
    if (window !== undefined) {
      window.value += 1;
      return window.value;
    }
    if (windows.size >= countersMax) makeRoom();
    windows.set(name, { value: 1, endsAtMs: nowMs() + windowSeconds * 1000 });
    return 1;
  };

  const clear = async (name: string): Promise<void> => {
    windows.delete(name);
  };
  const giveBack = async (name: string): Promise<void> => {
    const window = live(name);
    if (window !== undefined && window.value > 0) window.value -= 1;
  };

  return {
    take: async (name, windowSeconds) => take(name, windowSeconds),
    takeWithin: async (allowances) =>
      allowances.findIndex(({ name, max, windowSeconds }) => take(name, windowSeconds) > max),
    read: async (name) => live(name)?.value ?? 0,
    readAll: async (names) => names.map((name) => live(name)?.value ?? 0),
    settle: (settled) => settleSingly(settled, clear, giveBack),
    settlesInside: false,
  };
}
