import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { createHashQueue } from '../src/factors/hash-queue.ts';
import { EVENTS } from '../src/ledger/events.ts';
import { METRICS } from '../src/monitoring/catalogue.ts';
import { type CountedEvent, countedLedger, createEventCounts } from '../src/monitoring/event-counts.ts';
import { createMetrics } from '../src/monitoring/metrics.ts';
import { createRequestCounts } from '../src/monitoring/request-counts.ts';
import { Tally } from '../src/shared/tally.ts';
import { GroupCommit } from '../src/storage/group-commit.ts';
import { SqliteStatements } from '../src/storage/sqlite-statements.ts';
import { sqliteDatabase } from './support/databases.ts';
import { parseExposition, type Scrape } from './support/exposition.ts';
import { testLedger } from './support/ledger.ts';

const WANG_NUMBER = '339900199001011014';

const scrape = async (metrics: ReturnType<typeof createMetrics>): Promise<Scrape> =>
  parseExposition((await metrics.render()).body);

test('a tally puts a value that equals a bound below it, and counts what is beyond all of them', (t) => {
  const tally = new Tally([1, 2, 4]);
  for (const value of [0, 1, 1.5, 2, 4, 5, 100]) tally.count(value);
  t.deepEqual(tally.read(), { bounds: [1, 2, 4], counts: [2, 2, 1, 2], sum: 113.5 });
});

test('requests are counted by route, method and status, and their times are cumulative', async (t) => {
  const requests = createRequestCounts();
  for (const ms of [1, 4, 30, 30, 5000]) requests.count('token', 'POST', 200, ms);
  requests.count('token', 'POST', 400, 1);
  requests.count('jwks', 'GET', 304, 0.1);
  const seen = await scrape(createMetrics({ requests }));
  t.is(seen.types.get('tongban_http_request_duration_seconds'), 'histogram');
  t.is(seen.value('tongban_http_requests_total', { route: 'token', method: 'POST', status: '200' }), 5);
  t.is(seen.value('tongban_http_requests_total', { route: 'token', method: 'POST', status: '400' }), 1);
  t.is(seen.value('tongban_http_requests_total', { route: 'jwks', method: 'GET', status: '304' }), 1);
  const bucket = (le: string): number | undefined =>
    seen.value('tongban_http_request_duration_seconds_bucket', { route: 'token', le });
  t.deepEqual(['0.002', '0.005', '0.01', '0.05', '2.5', '+Inf'].map(bucket), [2, 3, 3, 5, 5, 6]);
  t.is(seen.value('tongban_http_request_duration_seconds_count', { route: 'token' }), 6);
  t.is(Math.round((seen.value('tongban_http_request_duration_seconds_sum', { route: 'token' }) ?? 0) * 1000), 5066);
});

test('H3 H5 nothing a stranger chooses becomes a label: no path, number, token or made-up method', async (t) => {
  const requests = createRequestCounts();
  const events = createEventCounts();
  const token = 'rt_0197c1b2_8mJx0WcB7yqz3kP5tVnR6sDfGhLaQeUo';
  for (const hostile of [
    `/person/${WANG_NUMBER}`,
    token,
    '__proto__',
    'constructor',
    'a"b\n',
    '王小明',
    undefined,
    7,
  ]) {
    requests.count(hostile, hostile, 200, 1);
    requests.count('token', 'GET', Number(hostile), 1);
    const details = { factor: String(hostile), amr: [String(hostile)], cause: String(hostile), session: token };
    for (const type of ['sign-in.succeeded', 'sign-in.refused', 'session.ended', String(hostile)])
      events.count({ type, details } as CountedEvent);
    events.count({ type: 'sign-in.succeeded', details: { amr: [String(hostile), WANG_NUMBER] } } as CountedEvent);
  }
  const { body } = await createMetrics({ requests, events: events.read }).render();
  for (const secret of [WANG_NUMBER, token, '王小明', 'person/', '__proto__', 'constructor', 'a\\"b'])
    t.false(body.includes(secret), secret);
  const { samples } = parseExposition(body);
  const ours = samples.filter(({ name }) => name.startsWith('tongban_'));
  t.true(ours.length > 20);
  for (const { name, labels } of ours)
    for (const value of Object.values(labels)) t.regex(value, /^[A-Za-z0-9+._-]{1,40}$/, name);
  const routes = ours.filter(({ name }) => name === 'tongban_http_requests_total').map(({ labels }) => labels);
  t.deepEqual(
    routes.filter(({ route }) => route !== 'other' && route !== 'token'),
    [],
  );
  t.deepEqual([...new Set(routes.map(({ status }) => status))].sort(), ['200', 'other']);
});

test('sign-ins are counted by outcome and factor, and one entry of a flood for all it stands for', async (t) => {
  const events = createEventCounts();
  const happened: CountedEvent[] = [
    { type: 'sign-in.succeeded', details: { amr: ['pwd'] } },
    { type: 'sign-in.succeeded', details: { amr: 'pwd otp' } },
    { type: 'sign-in.refused', details: { factor: 'password', reason: 'mismatch' } },
    { type: 'sign-in.refused', details: { factor: 'password', reason: 'mismatch', repeated: 480 } },
    { type: 'sign-in.cancelled' },
    { type: 'session.ended', details: { cause: 'signed_out' } },
    { type: 'session.ended', details: { cause: 'ended_by_watch' } },
    { type: 'logout.delivered', details: { attempts: 1 } },
    { type: 'logout.delivered', details: { attempts: 3 } },
    { type: 'logout.undelivered', details: { attempts: 10, error: 'timed_out' } },
  ];
  for (const event of happened) events.count(event);
  const seen = await scrape(createMetrics({ events: events.read }));
  const signIns = (outcome: string, factor: string) => seen.value('tongban_sign_ins_total', { outcome, factor });
  t.is(signIns('succeeded', 'password'), 1);
  t.is(signIns('succeeded', 'several'), 1);
  t.is(signIns('refused', 'password'), 481);
  t.is(signIns('cancelled', 'none'), 1);
  t.is(seen.value('tongban_ledger_events_total', { type: 'sign-in.refused' }), 2);
  t.is(seen.value('tongban_sessions_begun_total'), 2);
  t.is(seen.value('tongban_sessions_ended_total', { cause: 'signed_out' }), 1);
  t.is(seen.value('tongban_sessions_ended_total', { cause: 'ended_by_watch' }), 1);
  t.is(seen.value('tongban_logout_deliveries_total', { outcome: 'delivered' }), 2);
  t.is(seen.value('tongban_logout_deliveries_total', { outcome: 'undelivered' }), 1);
});

test('H4 an event that could not be written is counted as that and nothing else', async (t) => {
  const database = await sqliteDatabase(t);
  const counts = createEventCounts();
  const ledger = countedLedger(testLedger(database), counts);
  await ledger.record({ type: 'server.started', details: { profile: 'test' } });
  await database.write((tx) => ledger.append(tx, { type: 'server.stopped' }));
  t.deepEqual(
    [...counts.read().byType].filter(([, count]) => count > 0),
    [
      ['server.started', 1],
      ['server.stopped', 1],
    ],
  );
  await database.close();
  await t.throwsAsync(ledger.record({ type: 'server.stopped' }));
  t.is(counts.read().failures, 1);
  t.is(counts.read().byType.get('server.stopped'), 1);
});

test('R3 the queue of hashes tells its depth, what it refused and how long it made people wait', async (t) => {
  const queue = createHashQueue({ hashesAtOnce: 1, queueMax: 1, queueDeadlineMs: 10_000 });
  const gate = Promise.withResolvers<void>();
  const first = queue.run(() => gate.promise);
  const second = queue.run(async () => undefined);
  await queue.run(async () => undefined);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const metrics = createMetrics({ hashQueue: queue.load, hashQueueLimit: () => 1 });
  const full = await scrape(metrics);
  t.is(full.value('tongban_hash_queue_depth'), 1);
  t.is(full.value('tongban_hash_queue_limit'), 1);
  t.is(full.value('tongban_hash_queue_running'), 1);
  t.is(full.value('tongban_hash_queue_refused_total'), 1);
  t.true((full.value('tongban_hash_queue_oldest_seconds') ?? 0) >= 0.029);
  gate.resolve();
  await Promise.all([first, second]);
  const empty = await scrape(metrics);
  t.is(empty.value('tongban_hash_queue_depth'), 0);
  t.is(empty.value('tongban_hash_queue_oldest_seconds'), 0);
  t.true((empty.value('tongban_hash_queue_wait_seconds_total') ?? 0) >= 0.029);
});

test('the writer tells how many writes shared a COMMIT and how long it took', async (t) => {
  const file = new DatabaseSync(':memory:');
  file.exec('CREATE TABLE marks (mark INTEGER) STRICT');
  const committer = new GroupCommit(file, new SqliteStatements(file));
  const mark = (value: number) => committer.write((tx) => tx.run('INSERT INTO marks (mark) VALUES ($1)', [value]));
  const many = Promise.all(Array.from({ length: 20 }, (_, value) => mark(value)));
  t.is(committer.load().writesWaiting, 20);
  await many;
  await mark(20);
  const seen = await scrape(createMetrics({ store: () => committer.load() }));
  t.is(seen.value('tongban_database_writes_waiting'), 0);
  t.is(seen.value('tongban_database_group_size_bucket', { le: '1' }), 1);
  t.is(seen.value('tongban_database_group_size_bucket', { le: '16' }), 1);
  t.is(seen.value('tongban_database_group_size_bucket', { le: '32' }), 2);
  t.is(seen.value('tongban_database_group_size_sum'), 21);
  t.is(seen.value('tongban_database_commit_seconds_count'), 2);
});

test('X3 a source that hangs or throws costs a scrape a second at most, and all others are still told', async (t) => {
  const metrics = createMetrics({
    incidents: () => new Promise<never>(() => undefined),
    keys: () => Promise.reject(new Error(`row of ${WANG_NUMBER}`)),
    sweptRows: () => 12,
    feeds: () => [{ name: 'siem', up: false, lagEvents: 900, lagSeconds: 61 }],
    detections: () => ({ 'brute-force': 2 }),
    outbox: () => ({ running: 3, failures: 4 }),
    freeBytes: () => 2 ** 30,
    certificates: () => [{ file: '/etc/tls/id.pem', expiresAt: 2_000_000_000 }],
    readiness: () => ({ status: 'unready', checks: { disk: { state: 'fail', detail: 'x' } } }),
  });
  const began = performance.now();
  const [first, together] = await Promise.all([metrics.render(), metrics.render()]);
  t.true(performance.now() - began < 4_000);
  t.is(first, together, 'scrapes that come together share one');
  t.false(first.body.includes(WANG_NUMBER));
  const seen = parseExposition(first.body);
  t.is(seen.value('tongban_scrape_failures_total', { source: 'incidents' }), 1);
  t.is(seen.value('tongban_scrape_failures_total', { source: 'keys' }), 1);
  t.is(seen.value('tongban_swept_rows_total'), 12);
  t.is(seen.value('tongban_feed_lag_events', { feed: 'siem' }), 900);
  t.is(seen.value('tongban_feed_lag_seconds', { feed: 'siem' }), 61);
  t.is(seen.value('tongban_feed_up', { feed: 'siem' }), 0);
  t.is(seen.value('tongban_detections_total', { rule: 'brute-force' }), 2);
  t.is(seen.value('tongban_deliveries_running'), 3);
  t.is(seen.value('tongban_delivery_failures_total'), 4);
  t.is(seen.value('tongban_data_folder_free_bytes'), 2 ** 30);
  t.is(seen.value('tongban_certificate_expires_seconds', { file: '/etc/tls/id.pem' }), 2_000_000_000);
  t.is(seen.value('tongban_readiness', { check: 'disk' }), 2);
  t.true((seen.value('process_resident_memory_bytes') ?? 0) > 1e6);
  t.not(seen.value('nodejs_eventloop_lag_p99_seconds'), undefined);
});

test('two sets of metrics in one process do not share a number', async (t) => {
  const requests = createRequestCounts();
  requests.count('token', 'POST', 200, 1);
  const [busy, idle] = [createMetrics({ requests }), createMetrics({ requests: createRequestCounts() })];
  t.true((await scrape(busy)).samples.some(({ name }) => name === 'tongban_http_requests_total'));
  t.false((await scrape(idle)).samples.some(({ name }) => name === 'tongban_http_requests_total'));
  t.deepEqual(
    busy.names().filter((name) => name.startsWith('tongban_')),
    Object.keys(METRICS),
  );
});

test('labels are those of the catalogue, and every event type can be counted', async (t) => {
  const requests = createRequestCounts();
  requests.count('token', 'POST', 200, 1);
  const events = createEventCounts();
  for (const type of Object.keys(EVENTS)) events.count({ type } as CountedEvent);
  const { samples } = await scrape(createMetrics({ requests, events: events.read }));
  for (const { name, labels } of samples.filter((sample) => sample.name.startsWith('tongban_'))) {
    const metric = name.replace(/_(bucket|sum|count)$/, '') as keyof typeof METRICS;
    t.deepEqual(
      Object.keys(labels)
        .filter((label) => label !== 'le')
        .sort(),
      [...METRICS[metric].labels].sort(),
      name,
    );
  }
  const types = samples.filter(({ name }) => name === 'tongban_ledger_events_total').map(({ labels }) => labels.type);
  t.deepEqual(types.sort(), Object.keys(EVENTS).sort());
});

test('counting a request costs less than two microseconds', (t) => {
  const requests = createRequestCounts();
  const ROUNDS = 200_000;
  const times = Array.from({ length: 7 }, () => {
    const began = performance.now();
    for (let n = 0; n < ROUNDS; n += 1) requests.count('token', 'POST', n % 9 === 0 ? 400 : 200, n % 50);
    return ((performance.now() - began) * 1000) / ROUNDS;
  });
  t.log(`${Math.min(...times).toFixed(3)} us at best, ${Math.max(...times).toFixed(3)} us at worst`);
  t.true(Math.min(...times) < 2);
});
