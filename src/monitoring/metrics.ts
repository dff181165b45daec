import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { METRICS, type MetricKind, type MetricName } from './catalogue.ts';
import type { MetricSources, SourceName } from './metric-sources.ts';
import { within } from './readiness.ts';
import { type Sample, type Samples, TELL } from './samples.ts';

/** A scrape waits this long for a source; Prometheus gives up after ten seconds by default. */
const SOURCE_MS = 1_000;
/** Samples of one metric at most: more would mean that a label is not from a closed list after all. */
const SAMPLES_MAX = 2_000;

export interface Exposition {
  /** The media type of the text. */
  readonly type: string;
  readonly body: string;
}

/** One metric with its values, as one process may tell it to another. */
export interface MetricReading {
  readonly name: string;
  readonly type: string;
  readonly values: readonly unknown[];
}

/** The metrics of one process, in a registry of their own. */
export interface Metrics {
  /** The text exposition format 0.0.4 of Prometheus. Scrapes that come together share one. Never throws for a source. */
  render(): Promise<Exposition>;
  /** The same for a sum over several processes (sums.ts). */
  readings(): Promise<readonly MetricReading[]>;
  /** The names a scrape may show: ours and those of the process. */
  names(): readonly string[];
}

/**
 * Nothing is counted here: hot paths keep their own plain numbers, and each scrape asks the sources for them. Ours are exactly
 * those of the catalogue; beside them stand the process metrics of prom-client (event loop lag, heap, processor, descriptors).
 */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const failures = new Map(Object.keys(sources).map((name) => [name, 0]));
  let samples: Samples = {};
  for (const [name, kind] of Object.entries(METRICS)) {
    registry.registerMetric(readMetric(name, kind, () => samples[name as MetricName] ?? []));
  }
  collectDefaultMetrics({ register: registry });

  const ask = async (name: SourceName): Promise<Samples> => {
    const source = sources[name];
    if (source === undefined) return {};
    const told = await within(SOURCE_MS, answerOf(name, source), undefined);
    if (told === undefined) failures.set(name, (failures.get(name) ?? 0) + 1);
    return told ?? {};
  };

  const read = async (): Promise<void> => {
    const told = await Promise.all((Object.keys(TELL) as SourceName[]).map(ask));
    samples = Object.assign({}, ...told, {
      tongban_scrape_failures_total: [...failures].map(([source, value]) => ({ labels: { source }, value })),
    }) as Samples;
  };
  const scrape = async (): Promise<Exposition> => {
    await read();
    return { type: registry.contentType, body: await registry.metrics() };
  };

  let running: Promise<Exposition> | undefined;
  return {
    render() {
      running ??= scrape().finally(() => {
        running = undefined;
      });
      return running;
    },
    async readings() {
      await read();
      return registry.getMetricsAsJSON() as Promise<unknown> as Promise<readonly MetricReading[]>;
    },
    names: () => registry.getMetricsAsArray().map(({ name }) => name),
  };
}

/** What a source says, as samples; undefined when it fails. Its error is its owner's affair: whoever serves with it logs it. */
async function answerOf(
  name: SourceName,
  source: NonNullable<MetricSources[SourceName]>,
): Promise<Samples | undefined> {
  try {
    const answer: unknown = typeof source === 'function' ? await source() : source;
    return (TELL[name] as (answer: unknown) => Samples)(answer);
  } catch {
    return undefined;
  }
}

/**
 * A metric whose values are read at the scrape. prom-client's own classes count by themselves and cannot be handed a finished
 * histogram; its registry needs no more of a metric than a name and `get`.
 */
function readMetric(name: string, { type, help, over }: MetricKind, read: () => readonly Sample[]): Metric {
  const get = async () => ({
    name,
    help,
    type,
    aggregator: over,
    values: read()
      .slice(0, SAMPLES_MAX)
      .map(({ labels, value, suffix }) => ({ labels, value, metricName: `${name}${suffix ?? ''}` })),
  });
  return { name, help, get } as unknown as Metric;
}
