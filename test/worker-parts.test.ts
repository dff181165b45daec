import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../src/config/load.ts';
import { createHashQueue, type HashPlaces as Places } from '../src/factors/hash-queue.ts';
import type { MetricReading } from '../src/monitoring/metrics.ts';
import type { Verdict } from '../src/monitoring/readiness.ts';
import { MetricSums, verdictOfWorkers } from '../src/monitoring/sums.ts';
import type { Database } from '../src/storage/database.ts';
import { startOffice } from '../src/storage/office.ts';
import { HashPlaces } from '../src/workers/hash-places.ts';
import { hashesAtOnce, shareOf, workerCount } from '../src/workers/share.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { parseExposition } from './support/exposition.ts';
import { until } from './support/waiting.ts';

const loaded = loadConfig({ env: { TONGBAN_PROFILE: 'demo' } });
if (!loaded.ok) throw new Error('the configuration of the demo is not in order');
const { config } = loaded;

test('P7 places for hashes are those of the machine, however many workers ask', async (t) => {
  let running = 0;
  let most = 0;
  const granted = new Map<number, (() => void)[]>([1, 2, 3].map((worker) => [worker, []]));
  const places = new HashPlaces(2, (worker) => granted.get(worker)?.shift()?.());
  const queueOf = (worker: number) => {
    const own: Places = {
      share: 2 / 3,
      ask(callBack) {
        granted.get(worker)?.push(callBack);
        places.ask(worker);
      },
      giveBack: () => places.giveBack(worker),
    };
    return createHashQueue({ hashesAtOnce: 0, queueMax: 100, queueDeadlineMs: 10_000 }, own);
  };
  const work = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running -= 1;
  };
  const queues = [1, 2, 3].map(queueOf);
  const outcomes = await Promise.all(queues.flatMap((queue) => Array.from({ length: 20 }, () => queue.run(work))));
  t.true(outcomes.every(({ state }) => state === 'done'));
  t.is(most, 2);
});

test('a worker that died gives its places back, and is lent none any more', (t) => {
  const lent: number[] = [];
  const places = new HashPlaces(1, (worker) => lent.push(worker));
  places.ask(1);
  places.ask(1);
  places.ask(2);
  t.deepEqual(lent, [1]);
  places.forget(1);
  t.deepEqual(lent, [1, 2]);
  places.giveBack(1);
  places.ask(3);
  t.deepEqual(lent, [1, 2], 'what it gives back after its death is nothing');
  places.giveBack(2);
  t.deepEqual(lent, [1, 2, 3]);
});

test('limits of the machine are divided, and together are no fewer than configured', (t) => {
  t.is(workerCount({ workers: 'auto' }, 8), 8);
  t.is(workerCount({ workers: 3 }, 8), 3);
  t.deepEqual(
    [1, 2, 8].map((cores) => hashesAtOnce({ password: { ...config.password, hashesAtOnce: 0 } }, cores)),
    [1, 1, 7],
  );
  t.is(hashesAtOnce({ password: { ...config.password, hashesAtOnce: 5 } }, 2), 5);
  const share = shareOf(config, 3);
  t.is(share.http.connectionsMax, Math.ceil(config.http.connectionsMax / 3));
  t.is(share.password.queueMax, 22);
  t.is(share.monitoring.port, 0);
  t.is(shareOf(config, 64).database.poolMax, 4);
  t.is(shareOf({ ...config, database: { ...config.database, poolMax: 2 } }, 64).database.poolMax, 2);
});

const counter = (value: number): MetricReading =>
  ({
    name: 'c',
    help: 'c',
    type: 'counter',
    aggregator: 'sum',
    values: [{ labels: {}, value, metricName: 'c' }],
  }) as MetricReading;
const gauge = (value: number): MetricReading =>
  ({
    name: 'g',
    help: 'g',
    type: 'gauge',
    aggregator: 'max',
    values: [{ labels: {}, value, metricName: 'g' }],
  }) as MetricReading;

test('counts of several workers are added, and do not fall when one dies', async (t) => {
  const sums = new MetricSums();
  const read = async () => parseExposition((await sums.render([])).body);
  sums.remember(1, [counter(5), gauge(7)]);
  sums.remember(2, [counter(2), gauge(3)]);
  const both = await read();
  t.deepEqual([both.value('c'), both.value('g')], [7, 7]);
  await sums.forget(1);
  sums.remember(2, [counter(3), gauge(3)]);
  const left = await read();
  t.deepEqual([left.value('c'), left.value('g')], [8, 3]);
  await sums.forget(1);
  t.is((await read()).value('c'), 8, 'what is remembered is remembered once');
});

test('H4 a server of several workers is as well as the worst of them, and not ready without any', (t) => {
  const well: Verdict = { status: 'ready', checks: { disk: { state: 'ok', detail: 'room' } } };
  const ill: Verdict = { status: 'degraded', checks: { disk: { state: 'warn', detail: 'little room' } } };
  const of = (verdicts: readonly (Verdict | undefined)[], running: number) =>
    verdictOfWorkers(verdicts, { running, wanted: 2, restarts: 0 });
  t.is(of([well, well], 2).status, 'ready');
  t.like(of([well, ill], 2), { status: 'degraded', checks: { disk: { detail: 'little room' } } });
  t.like(of([well], 1), { status: 'degraded', checks: { workers: { state: 'warn', detail: '1 of 2 serve' } } });
  t.like(of([well, undefined], 2), { status: 'degraded' }, 'one that does not answer');
  t.is(of([], 0).status, 'unready');
});

for (const [engine, engineTest, open] of [
  ['sqlite', embeddedTest, sqliteDatabase],
  ['postgres', postgresTest, postgresDatabase],
] as const) {
  engineTest(`one of several holds the office, and another takes over (${engine})`, async (t: ExecutionContext) => {
    const database: Database = await open(t);
    /** A process that dies does not reach the store any more. */
    const dying = { isDead: false };
    const mortal = new Proxy(database, {
      get(target, name) {
        if (dying.isDead) return () => Promise.reject(new Error('dead'));
        const member = Reflect.get(target, name) as unknown;
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    const stand = (on: Database) =>
      startOffice({ database: on, name: 'work', leaseMs: 1_500, lookMs: 100, onFault: () => undefined });
    const first = stand(mortal);
    t.true(await until(() => first.isHeld()));
    const [second, third] = [stand(database), stand(database)];
    t.teardown(async () => {
      await second.stop();
      await third.stop();
    });
    for (let look = 0; look < 20; look += 1) {
      t.true([first, second, third].filter((office) => office.isHeld()).length <= 1);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    dying.isDead = true;
    t.true(await until(() => second.isHeld() || third.isHeld()), 'taken over after the lease');
    t.false(first.isHeld(), 'who cannot renew it holds it no more');
    const [holder, other] = second.isHeld() ? [second, third] : [third, second];
    await holder.stop();
    t.true(await until(() => other.isHeld()), 'left to the next at once');
    dying.isDead = false;
    t.true(await until(() => !first.isHeld()));
    await first.stop();
  });
}
