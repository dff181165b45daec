import { monotonicMs } from '../shared/clock.ts';
import type { Counters } from '../storage/counters.ts';
import { failuresAt, type PlaceLimits } from './places.ts';

/** The settings of `defence` that say when strangers are asked for work. */
export interface SuspicionLimits {
  readonly proofAfterAddress: number;
  readonly proofAfterNetwork: number;
  readonly proofAfterMinute: number;
  readonly proofAfterWaiting: number;
  readonly calmSeconds: number;
}

/** `house`: failures over all of this server; `queue`: too many passwords wait for their hash. */
export type SuspicionReason = 'address' | 'network' | 'house' | 'queue';

export interface Suspected {
  readonly reasons: readonly SuspicionReason[];
  /** How much more work than usual is asked for: the more an address has failed, the more. 1 to 10. */
  readonly weight: number;
}

/**
 * Whether strangers are under suspicion. Of an address and its network it is what has failed from there lately, in the store; of the house what
 * this process sees, because the hashes it can do are its own. What was raised stays for `calmSeconds` after the last sign of it.
 */
export interface Suspicion {
  of(address: string): Promise<Suspected>;
  /** Somebody failed, or came without the work that was asked for. */
  failed(address: string): Promise<void>;
}

const MINUTE_MS = 60_000;
const BUCKETS = 6;
const WEIGHT_MAX = 10;

export interface SuspicionSources {
  readonly counters: Pick<Counters, 'readAll' | 'takeWithin'>;
  readonly limits: SuspicionLimits;
  readonly places: PlaceLimits;
  /** How many passwords wait for their hash. */
  readonly waiting: () => number;
  /** The whole house has come under suspicion, or is calm again; `failures` came since. */
  readonly changed: (raised: boolean, reasons: readonly SuspicionReason[], failures: number) => void;
}

export function createSuspicion({ counters, limits, places, waiting, changed }: SuspicionSources): Suspicion {
  const lately = createRate();
  let heldUntilMs = 0;
  let raisedBy: readonly SuspicionReason[] = [];
  let failures = 0;

  const look = (): readonly SuspicionReason[] => {
    const now = monotonicMs();
    const signs: SuspicionReason[] = [
      ...(lately.perMinute(now) > limits.proofAfterMinute ? ['house' as const] : []),
      ...(waiting() >= limits.proofAfterWaiting ? ['queue' as const] : []),
    ];
    if (signs.length > 0) {
      heldUntilMs = now + limits.calmSeconds * 1000;
      if (raisedBy.length === 0) {
        failures = 0;
        raisedBy = signs;
        changed(true, signs, 0);
      }
    } else if (raisedBy.length > 0 && now >= heldUntilMs) {
      changed(false, raisedBy, failures);
      raisedBy = [];
    }
    return raisedBy;
  };

  return {
    async of(address) {
      const thresholds = [limits.proofAfterAddress, limits.proofAfterNetwork];
      const names = ['address', 'network'] as const;
      const counts = await counters.readAll(failuresAt(address, places).map(({ name }) => name));
      const here = names.filter((_, at) => (counts[at] ?? 0) >= thresholds[at]!);
      const weight = Math.min(WEIGHT_MAX, Math.max(1, Math.floor((counts[0] ?? 0) / limits.proofAfterAddress)));
      return { reasons: [...here, ...look()], weight };
    },
    async failed(address) {
      failures += 1;
      lately.add(monotonicMs());
      look();
      await counters.takeWithin(failuresAt(address, places));
    },
  };
}

/** Counts over the last minute, in steps of ten seconds. */
function createRate(): { add(nowMs: number): void; perMinute(nowMs: number): number } {
  const counts = new Array<number>(BUCKETS).fill(0);
  let newest = 0;
  const turn = (nowMs: number): number => {
    const bucket = Math.floor(nowMs / (MINUTE_MS / BUCKETS));
    for (let passed = Math.max(newest + 1, bucket - BUCKETS + 1); passed <= bucket; passed += 1)
      counts[passed % BUCKETS] = 0;
    newest = Math.max(newest, bucket);
    return bucket % BUCKETS;
  };
  return {
    add(nowMs) {
      const at = turn(nowMs);
      counts[at] = (counts[at] ?? 0) + 1;
    },
    perMinute(nowMs) {
      turn(nowMs);
      return counts.reduce((sum, count) => sum + count, 0);
    },
  };
}
