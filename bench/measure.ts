import { monotonicMs } from '../src/shared/clock.ts';
import { processorMicroseconds } from './server-process.ts';

/** One operation of a scenario, start to end; gives the number of HTTP requests it took. */
export interface Operation {
  (): Promise<number>;
  /** Off the clock, ahead of a round of so many milliseconds: makes what its operations use up. */
  readonly ready?: (durationMs: number) => Promise<void>;
  /** Whether all that was made has been used up: its lane ends the round then. */
  readonly isSpent?: () => boolean;
}

/** What one round, or the median of several, came to. Times in milliseconds, processor time in microseconds. */
export interface Measured {
  readonly operationCount: number;
  readonly operationsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicroseconds: number;
  readonly requestsPerOperation: number;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The nearest-rank quantile; 0 of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? 0;
}

/** Each member's median over the rounds. */
export function medianOf(rounds: readonly Measured[]): Measured {
  const of = (member: keyof Measured): number => median(rounds.map((round) => round[member]));
  return {
    operationCount: of('operationCount'),
    operationsPerSecond: of('operationsPerSecond'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    cpuMicroseconds: of('cpuMicroseconds'),
    requestsPerOperation: of('requestsPerOperation'),
  };
}

/**
 * Runs the lanes side by side, each starting its next operation when the last has ended, for about `durationMs`. The
 * first operation that fails ends the round with its error: a figure with failures in it says nothing.
 */
export async function closedLoop(pid: number, lanes: readonly Operation[], durationMs: number): Promise<Measured> {
  const latenciesMs: number[] = [];
  let requestCount = 0;
  let failed = false;
  const cpuBefore = processorMicroseconds(pid);
  const startedMs = monotonicMs();
  const endMs = startedMs + durationMs;
  const outcomes = await Promise.allSettled(
    lanes.map(async (operate) => {
      for (let nowMs = monotonicMs(); nowMs < endMs && !failed && operate.isSpent?.() !== true; ) {
        try {
          const took = await operate();
          requestCount += took;
        } catch (error) {
          failed = true;
          throw error;
        }
        const doneMs = monotonicMs();
        latenciesMs.push(doneMs - nowMs);
        nowMs = doneMs;
      }
    }),
  );
  const refused = outcomes.find((outcome) => outcome.status === 'rejected');
  if (refused) throw refused.reason;
  const elapsedSeconds = (monotonicMs() - startedMs) / 1000;
  const count = latenciesMs.length;
  return {
    operationCount: count,
    operationsPerSecond: count / elapsedSeconds,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    cpuMicroseconds: (processorMicroseconds(pid) - cpuBefore) / count,
    requestsPerOperation: requestCount / count,
  };
}

/**
 * Starts operations at a fixed rate whatever becomes of the earlier ones, and gives each latency in milliseconds from
 * the moment it was due: a server that stalls cannot hide the requests that would have come meanwhile. An operation that
 * finds every lane taken waits for one, and that waiting counts.
 */
export async function openLoop(lanes: readonly Operation[], perSecond: number, durationMs: number): Promise<number[]> {
  const latenciesMs: number[] = [];
  const free = [...lanes];
  const waiting: ((lane: Operation) => void)[] = [];
  const startedMs = monotonicMs();
  const operationCount = Math.floor((durationMs / 1000) * perSecond);
  const oneAt = async (dueMs: number): Promise<void> => {
    const lane = free.pop() ?? (await new Promise<Operation>((resolve) => waiting.push(resolve)));
    await lane();
    latenciesMs.push(monotonicMs() - dueMs);
    const next = waiting.shift();
    if (next) next(lane);
    else free.push(lane);
  };
  const underWay: Promise<void>[] = [];
  for (let n = 0; n < operationCount; n += 1) {
    const dueMs = startedMs + (n * 1000) / perSecond;
    const earlyMs = dueMs - monotonicMs();
    if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs));
    underWay.push(oneAt(dueMs));
  }
  await Promise.all(underWay);
  return latenciesMs;
}
