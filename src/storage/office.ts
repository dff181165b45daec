import { monotonicMs, nowMs } from '../shared/clock.ts';
import { newId } from '../shared/ids.ts';
import type { Database } from './database.ts';

/** How long a holder that died keeps others waiting, and how often everybody looks. Together less than the ten seconds we promise. */
const LEASE_MS = 6_000;
const LOOK_MS = 1_500;
/** A lease that ends later than this was taken by a clock that has been set since; nodes differ by seconds (X8). */
const AHEAD_MS_MAX = 3 * LEASE_MS;

const INSERT = `INSERT INTO offices (name, fence, holder, lease_until_ms) VALUES ($1, 0, '', 0) ON CONFLICT (name) DO NOTHING`;
const FIND = 'SELECT fence, holder, lease_until_ms FROM offices WHERE name = $1';
const TAKE =
  'UPDATE offices SET fence = fence + 1, holder = $3, lease_until_ms = $4 WHERE name = $1 AND fence = $2 AND lease_until_ms = $5';
const HOLD = 'UPDATE offices SET lease_until_ms = $3 WHERE name = $1 AND fence = $2';

interface OfficeRow {
  readonly fence: number;
  readonly holder: string;
  readonly lease_until_ms: number;
}

export interface OfficeOptions {
  readonly database: Database;
  readonly name: string;
  readonly leaseMs?: number;
  readonly lookMs?: number;
  /** Told when the store could not be asked; the next look tries again. */
  readonly onFault: (error: unknown) => void;
}

/**
 * A work that one process of all does and any could do, such as clearing up. Whoever holds the office does it; when its lease was not renewed
 * another takes over. Two may believe to hold it for a moment, when one was halted: what is done in office must bear that.
 */
export interface Office {
  isHeld(): boolean;
  /** Leaves it to the next at once. */
  stop(): Promise<void>;
}

/** Stands for the office; looks at once and then every `lookMs`, and keeps no process alive. */
export function startOffice({ database, name, leaseMs = LEASE_MS, lookMs = LOOK_MS, onFault }: OfficeOptions): Office {
  const holder = newId('off');
  let fence: number | undefined;
  let heldUntilMs = 0;
  let isStopped = false;
  let looking: Promise<void> | undefined;

  const isFree = ({ lease_until_ms: untilMs }: OfficeRow): boolean => {
    const leftMs = Number(untilMs) - nowMs();
    return leftMs <= 0 || leftMs > AHEAD_MS_MAX;
  };
  const look = async (): Promise<void> => {
    const askedMs = monotonicMs();
    if (fence !== undefined && (await database.run(HOLD, [name, fence, nowMs() + leaseMs])) === 1) {
      heldUntilMs = askedMs + leaseMs;
      return;
    }
    fence = undefined;
    const row = await database.get<OfficeRow>(FIND, [name]);
    if (row === undefined) await database.run(INSERT, [name]);
    const found = row ?? { fence: 0, holder: '', lease_until_ms: 0 };
    if (!isFree(found)) return;
    const values = [name, Number(found.fence), holder, nowMs() + leaseMs, Number(found.lease_until_ms)];
    if ((await database.run(TAKE, values)) === 0) return;
    fence = Number(found.fence) + 1;
    heldUntilMs = askedMs + leaseMs;
  };
  const begin = (): void => {
    looking ??= look()
      .catch(onFault)
      .finally(() => {
        looking = undefined;
      });
  };
  const timer = setInterval(begin, lookMs);
  timer.unref();
  begin();

  return {
    isHeld: () => !isStopped && fence !== undefined && monotonicMs() < heldUntilMs,
    async stop() {
      isStopped = true;
      clearInterval(timer);
      await looking;
      if (fence !== undefined) await database.run(HOLD, [name, fence, 0]);
    },
  };
}
