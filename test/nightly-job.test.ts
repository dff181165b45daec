import test from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { nightAt } from '../src/shared/night-window.ts';
import type { Database } from '../src/storage/database.ts';
import { type NightlyJob, type NightlyStep, runNightlyJob, startNightlyJob } from '../src/storage/nightly-job.ts';
import { nightlyJobStatus } from '../src/storage/nightly-lease.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { until } from './support/waiting.ts';

const ENGINES = [
  { engine: 'sqlite', engineTest: embeddedTest, open: sqliteDatabase },
  { engine: 'postgres', engineTest: postgresTest, open: postgresDatabase },
] as const;

test.afterEach.always(() => turnClock(0));

/** Counts from 1 to `last`, one number an item, and remembers each. */
function counting(last: number, options: { perSecond?: number; pauseMs?: number } = {}) {
  const seen: number[] = [];
  const job: NightlyJob = {
    name: 'counting',
    perSecond: options.perSecond ?? 10_000,
    count: async () => last,
    async step(cursor, limit): Promise<NightlyStep> {
      const from = Number(cursor ?? 0);
      const to = Math.min(last, from + limit);
      for (let number = from + 1; number <= to; number += 1) seen.push(number);
      if (options.pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, options.pauseMs));
      const handled = to - from;
      const odd = seen.slice(-handled).filter((number) => number % 2 === 1).length;
      return { cursor: to === last ? undefined : String(to), handled, asked: handled, counts: { odd } };
    },
  };
  return { job, seen };
}

const numbers = (last: number): readonly number[] => Array.from({ length: last }, (_, at) => at + 1);

test('the night is told in Beijing time, also across midnight', (t) => {
  const at = (text: string): number => Date.parse(text);
  const cases: readonly (readonly [string, string, string | undefined])[] = [
    ['02:00-05:00', '2026-03-01T01:59:59+08:00', undefined],
    ['02:00-05:00', '2026-03-01T02:00:00+08:00', '2026-03-01T02:00:00+08:00'],
    ['02:00-05:00', '2026-02-28T20:59:59Z', '2026-03-01T02:00:00+08:00'],
    ['02:00-05:00', '2026-03-01T05:00:00+08:00', undefined],
    ['23:30-04:00', '2026-03-01T23:29:00+08:00', undefined],
    ['23:30-04:00', '2026-03-01T23:30:00+08:00', '2026-03-01T23:30:00+08:00'],
    ['23:30-04:00', '2026-03-02T03:59:00+08:00', '2026-03-01T23:30:00+08:00'],
    ['23:30-04:00', '2026-03-02T04:00:00+08:00', undefined],
    ['00:00-00:00', '2026-03-02T13:00:00+08:00', '2026-03-02T00:00:00+08:00'],
  ];
  for (const [window, moment, opens] of cases) {
    t.is(nightAt(window, at(moment))?.opensMs, opens === undefined ? undefined : at(opens), `${window} ${moment}`);
  }
  t.throws(() => nightAt('2-5', 0), { instanceOf: RangeError });
});

for (const { engine, engineTest, open } of ENGINES) {
  engineTest(`a round that pauses goes on where it stopped, and the next begins anew (${engine})`, async (t) => {
    const database = await open(t);
    const { job, seen } = counting(50);
    t.is(await nightlyJobStatus(database, job.name), undefined);
    t.is(await runNightlyJob({ database, job, askedMax: 33 }), 'paused');
    const paused = await nightlyJobStatus(database, job.name);
    t.like(paused, { cursor: '33', handled: 33, total: 50, counts: { odd: 17 }, finishedAt: undefined, isHeld: false });
    t.is(await runNightlyJob({ database, job }), 'finished');
    t.deepEqual(seen, numbers(50));
    const done = await nightlyJobStatus(database, job.name);
    t.like(done, { cursor: undefined, handled: 50, counts: { odd: 25 }, startedAt: paused?.startedAt });
    t.true((done?.finishedAt ?? 0) > 0);
    t.is(await runNightlyJob({ database, job, askedMax: 5 }), 'paused');
    t.like(await nightlyJobStatus(database, job.name), { cursor: '5', handled: 5, counts: { odd: 3 } });
  });

  engineTest(`of many processes that want one job exactly one works on it (${engine})`, async (t) => {
    const database = await open(t);
    const { job, seen } = counting(60, { pauseMs: 20 });
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => runNightlyJob({ database, job })));
    t.is(outcomes.filter((outcome) => outcome === 'finished').length, 1);
    t.is(outcomes.filter((outcome) => outcome === 'busy').length, 7);
    t.deepEqual(seen, numbers(60));
  });

  engineTest.serial(`X8 whoever was overtaken saves nothing any more (${engine})`, async (t) => {
    const database = await open(t);
    const slow = counting(40);
    let overtaken: Promise<string> | undefined;
    const quick = counting(40);
    const job: NightlyJob = {
      ...slow.job,
      async step(cursor, limit) {
        if (cursor === '20') {
          // The process stands still for longer than its lease, and another one takes over.
          turnClock(61_000);
          overtaken = runNightlyJob({ database, job: quick.job, askedMax: 5 });
          await overtaken;
        }
        return slow.job.step(cursor, limit);
      },
    };
    t.is(await runNightlyJob({ database, job }), 'busy');
    t.is(await overtaken, 'paused');
    t.deepEqual(quick.seen, [21, 22, 23, 24, 25]);
    t.like(await nightlyJobStatus(database, job.name), { cursor: '25', handled: 25 });
  });
}

test('a step that fails leaves the place where it was and the job free', async (t) => {
  const database = await sqliteDatabase(t);
  const { job, seen } = counting(30);
  const failing: NightlyJob = {
    ...job,
    step: async (cursor, limit) => {
      if (cursor === '20') throw new Error('the store went away');
      return job.step(cursor, limit);
    },
  };
  await t.throwsAsync(runNightlyJob({ database, job: failing }), { message: 'the store went away' });
  t.like(await nightlyJobStatus(database, job.name), { cursor: '20', isHeld: false });
  t.is(await runNightlyJob({ database, job }), 'finished');
  t.deepEqual(seen, numbers(30));
});

test('X12 while nobody can be asked the round stands still, but one row without an answer does not hold it', async (t) => {
  const database = await sqliteDatabase(t);
  const tried: (string | undefined)[] = [];
  let answers = false;
  const job: NightlyJob = {
    name: 'stalling',
    perSecond: 100,
    count: async () => 2,
    async step(cursor) {
      tried.push(cursor);
      const stalled = cursor === 'a' ? true : !answers;
      answers = tried.length > 2;
      return { cursor: cursor === undefined ? 'a' : undefined, handled: 1, asked: 1, counts: {}, stalled };
    },
  };
  t.is(await runNightlyJob({ database, job, stallPauseMs: 1 }), 'finished');
  t.deepEqual(tried, [...Array(4).fill(undefined), ...Array(6).fill('a')]);
});

test('no more is judged in a second than allowed', async (t) => {
  const database = await sqliteDatabase(t);
  const { job } = counting(12, { perSecond: 20 });
  const slow = { ...job, name: 'slow' };
  const startedMs = performance.now();
  t.is(await runNightlyJob({ database, job: { ...slow, perSecond: 4 } }), 'finished');
  t.true(performance.now() - startedMs > 1_900);
});

test.serial('a server works at night, once each night, and stops in the middle when the night is over', async (t) => {
  const database: Database = await sqliteDatabase(t);
  const { job, seen } = counting(40, { pauseMs: 30 });
  const beijing = (text: string): void => turnClock(Date.parse(`${text}+08:00`) - Date.now());
  beijing('2026-03-01T01:00:00');
  const running = startNightlyJob({ database, job, window: '02:00-05:00', lookEveryMs: 5 });
  t.teardown(() => running.stop());
  const held = setTimeout(() => {}, 60_000);
  t.teardown(() => clearTimeout(held));
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(100);
  t.is(seen.length, 0);
  beijing('2026-03-01T02:00:00');
  t.true(await until(() => seen.length === 20));
  beijing('2026-03-01T05:00:00');
  await pause(100);
  t.is(seen.length, 20);
  beijing('2026-03-02T02:30:00');
  t.true(await until(async () => (await nightlyJobStatus(database, job.name))?.finishedAt !== undefined));
  await pause(100);
  t.deepEqual(seen, numbers(40));
  beijing('2026-03-03T02:30:00');
  t.true(await until(() => seen.length === 80));
});
