import type { TallyReading } from '../shared/tally.ts';
import type { MetricName } from './catalogue.ts';
import type { MetricSources, SourceName } from './metric-sources.ts';

/** One line of an exposition: a value under its labels. `suffix` is for the parts of a histogram. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly suffix?: '_bucket' | '_sum' | '_count';
}

/** What one source has to say, by metric. */
export type Samples = Partial<Record<MetricName, readonly Sample[]>>;

type Answer<Name extends SourceName> =
  NonNullable<MetricSources[Name]> extends () => infer Given ? Awaited<Given> : NonNullable<MetricSources[Name]>;

const one = (value: number): readonly Sample[] => [{ labels: {}, value }];

const by = (label: string, values: Iterable<readonly [string, number]>): readonly Sample[] =>
  [...values].map(([name, value]) => ({ labels: { [label]: name }, value }));

/** A histogram in the form of the exposition: cumulative buckets, their sum and their count. */
function tally(
  { bounds, counts, sum }: TallyReading,
  labels: Readonly<Record<string, string>> = {},
): readonly Sample[] {
  let total = 0;
  const buckets = counts.map((count, at): Sample => {
    total += count;
    return {
      labels: { ...labels, le: at < bounds.length ? String(bounds[at]) : '+Inf' },
      value: total,
      suffix: '_bucket',
    };
  });
  return [...buckets, { labels, value: sum, suffix: '_sum' }, { labels, value: total, suffix: '_count' }];
}

const CIRCUIT = { closed: 0, 'half-open': 1, open: 2 } as const;
const READINESS = { ok: 0, warn: 1, fail: 2 } as const;
const DELIVERY_EVENTS = { delivered: 'logout.delivered', undelivered: 'logout.undelivered' } as const;

/** How the answer of each source is told as samples. Pure; the one place that connects sources and metrics. */
export const TELL: { readonly [Name in SourceName]: (answer: Answer<Name>) => Samples } = {
  requests: (counts) => ({
    tongban_http_requests_total: counts.requests().map(({ route, method, status, count }) => ({
      labels: { route, method, status: status === 0 ? 'other' : String(status) },
      value: count,
    })),
    tongban_http_request_duration_seconds: counts
      .durations()
      .flatMap(({ route, seconds }) => tally(seconds, { route })),
  }),
  events: ({ byType, signIns, sessionEnds, failures }) => ({
    tongban_ledger_events_total: by('type', byType),
    tongban_ledger_append_failures_total: one(failures),
    tongban_sign_ins_total: [...signIns].map(([key, value]) => {
      const [outcome = '', factor = ''] = key.split(' ');
      return { labels: { outcome, factor }, value };
    }),
    tongban_sessions_begun_total: one(byType.get('sign-in.succeeded') ?? 0),
    tongban_sessions_ended_total: by('cause', sessionEnds),
    tongban_logout_deliveries_total: by(
      'outcome',
      Object.entries(DELIVERY_EVENTS).map(([outcome, type]) => [outcome, byType.get(type) ?? 0]),
    ),
  }),
  artifacts: ({ changes, lookUps, conflicts }) => ({
    tongban_artifact_changes_total: [...changes].map(([key, value]) => {
      const [model = '', change = ''] = key.split(' ');
      return { labels: { model, change }, value };
    }),
    tongban_artifact_lookups_total: by('model', lookUps),
    tongban_artifact_conflicts_total: by('model', conflicts),
  }),
  hashQueue: ({ waiting, running, oldestMs, started, refused, waitedMs }) => ({
    tongban_hash_queue_depth: one(waiting),
    tongban_hash_queue_running: one(running),
    tongban_hash_queue_oldest_seconds: one(oldestMs / 1000),
    tongban_hash_queue_started_total: one(started),
    tongban_hash_queue_refused_total: one(refused),
    tongban_hash_queue_wait_seconds_total: one(waitedMs / 1000),
  }),
  hashQueueLimit: (limit) => ({ tongban_hash_queue_limit: one(limit) }),
  store: ({ writesWaiting, groupSizes, commitSeconds, connections }) => ({
    tongban_database_writes_waiting: one(writesWaiting),
    ...(groupSizes && { tongban_database_group_size: tally(groupSizes) }),
    ...(commitSeconds && { tongban_database_commit_seconds: tally(commitSeconds) }),
    ...(connections && { tongban_database_connections: by('state', Object.entries(connections)) }),
  }),
  sweptRows: (rows) => ({ tongban_swept_rows_total: one(rows) }),
  freeBytes: (bytes) => ({ tongban_data_folder_free_bytes: one(bytes) }),
  ledger: ({ entries, unsigned, unsignedMs, checkpointAgeMs }) => ({
    tongban_ledger_entries: one(entries),
    tongban_ledger_unsigned_entries: one(unsigned),
    tongban_ledger_unsigned_seconds: one(unsignedMs / 1000),
    ...(checkpointAgeMs === undefined ? {} : { tongban_ledger_checkpoint_age_seconds: one(checkpointAgeMs / 1000) }),
  }),
  feeds: (feeds) => ({
    tongban_feed_lag_events: by(
      'feed',
      feeds.map(({ name, lagEvents }) => [name, lagEvents]),
    ),
    tongban_feed_lag_seconds: by(
      'feed',
      feeds.map(({ name, lagSeconds }) => [name, lagSeconds]),
    ),
    tongban_feed_up: by(
      'feed',
      feeds.map(({ name, up }) => [name, up ? 1 : 0]),
    ),
  }),
  detections: (rules) => ({ tongban_detections_total: by('rule', Object.entries(rules)) }),
  incidents: (levels) => ({ tongban_incidents_open: by('level', Object.entries(levels)) }),
  outbox: ({ running, failures }) => ({
    tongban_deliveries_running: one(running),
    tongban_delivery_failures_total: one(failures),
  }),
  deliveriesWaiting: (count) => ({ tongban_deliveries_waiting: one(count) }),
  redis: ({ isAway, timesAway }) => ({
    tongban_redis_up: one(isAway ? 0 : 1),
    tongban_redis_lost_total: one(timesAway),
  }),
  registers: (registers) => ({
    tongban_register_answers_total: registers.flatMap(({ register, answers }) =>
      Object.entries(answers).map(([verdict, value]) => ({ labels: { register, verdict }, value })),
    ),
    tongban_register_unanswered_total: registers.flatMap(({ register, unanswered }) =>
      Object.entries(unanswered).map(([reason, value]) => ({ labels: { register, reason }, value })),
    ),
    tongban_register_circuit: by(
      'register',
      registers.map(({ register, circuit }) => [register, CIRCUIT[circuit]]),
    ),
    tongban_register_running: by(
      'register',
      registers.map(({ register, inFlight }) => [register, inFlight]),
    ),
    tongban_register_waiting: by(
      'register',
      registers.map(({ register, waiting }) => [register, waiting]),
    ),
  }),
  workers: ({ running, restarts }) => ({
    tongban_workers: one(running),
    tongban_worker_restarts_total: one(restarts),
  }),
  keys: (keys) => ({
    tongban_key_retires_seconds: keys.flatMap(({ kid, alg, retiresAt }) =>
      retiresAt === undefined ? [] : [{ labels: { kid, alg }, value: retiresAt }],
    ),
  }),
  certificates: (files) => ({
    tongban_certificate_expires_seconds: by(
      'file',
      files.flatMap((file) => ('expiresAt' in file ? [[file.file, file.expiresAt] as const] : [])),
    ),
  }),
  readiness: ({ checks }) => ({
    tongban_readiness: by(
      'check',
      Object.entries(checks).map(([name, { state }]) => [name, READINESS[state]]),
    ),
  }),
};
