import { AggregatorRegistry } from 'prom-client';
import type { Exposition, MetricReading } from './metrics.ts';
import { type Finding, type Verdict, verdictOf } from './readiness.ts';

const RANK = { ok: 0, warn: 1, fail: 2 } as const;

/** How many workers serve, of how many, and how often one was started again. */
export interface WorkersReading {
  readonly running: number;
  readonly wanted: number;
  readonly restarts: number;
}

/**
 * Metrics of several processes as one. What a worker counted up to its last reading goes on being counted when it is gone: a sum that fell would
 * look like a restart of all.
 */
export class MetricSums {
  readonly #latest = new Map<number, readonly MetricReading[]>();
  #departed: readonly MetricReading[] = [];

  remember(worker: number, reading: readonly MetricReading[]): void {
    this.#latest.set(worker, reading);
  }

  async forget(worker: number): Promise<void> {
    const counted = (this.#latest.get(worker) ?? []).filter(({ type }) => type === 'counter' || type === 'histogram');
    this.#latest.delete(worker);
    if (counted.length === 0) return;
    const sum: unknown = await sumOf([this.#departed, counted]).getMetricsAsJSON();
    this.#departed = sum as readonly MetricReading[];
  }

  /** What workers said last is said again for one that does not answer just now: it has not lost what it counted. `own`: of the primary. */
  async render(own: readonly MetricReading[]): Promise<Exposition> {
    const sum = sumOf([this.#departed, own, ...this.#latest.values()]);
    return { type: sum.contentType, body: await sum.metrics() };
  }
}

const sumOf = (readings: readonly (readonly MetricReading[])[]) =>
  AggregatorRegistry.aggregate(readings as unknown as object[]);

/** What one whole server says when its workers say this: the worst of each check. Pure. A worker without an answer serves nobody. */
export function verdictOfWorkers(
  verdicts: readonly (Verdict | undefined)[],
  { running, wanted }: WorkersReading,
): Verdict {
  const answers = verdicts.filter((verdict) => verdict !== undefined);
  const checks: Record<string, Finding> = {};
  for (const verdict of answers)
    for (const [name, finding] of Object.entries(verdict.checks))
      if (RANK[finding.state] >= RANK[checks[name]?.state ?? 'ok']) checks[name] = finding;
  const answering = Math.min(running, answers.length);
  const detail = `${answering} of ${wanted} serve`;
  const state = answering === 0 ? 'fail' : answering < wanted ? 'warn' : 'ok';
  return verdictOf({ ...checks, workers: { state, detail } });
}
