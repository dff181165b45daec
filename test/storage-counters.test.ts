import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import type { Counters } from '../src/storage/counters.ts';
import { createMemoryCounters } from '../src/storage/memory-counters.ts';
import { createRedisCounters } from '../src/storage/redis-counters.ts';
import { createSqlCounters } from '../src/storage/sql-counters.ts';
import {
  type EngineTest,
  embeddedTest,
  postgresDatabase,
  postgresTest,
  redisPrefix,
  redisTest,
  sqliteDatabase,
} from './support/databases.ts';

let turnedMs = 0;
const turn = async (ms: number): Promise<void> => {
  turnedMs += ms;
  turnClock(turnedMs);
};

/** What all `Counters` owe. `pass` lets time go by for this implementation. */
function counterSuite(
  test: EngineTest,
  name: string,
  open: (t: ExecutionContext) => Promise<Counters>,
  pass: (ms: number) => Promise<unknown>,
): void {
  test.serial(`D7 a hundred takes at once see a hundred different numbers (${name})`, async (t) => {
    const counters = await open(t);
    const seen = await Promise.all(Array.from({ length: 100 }, () => counters.take('one', 60)));
    t.deepEqual(
      seen.sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
    t.is(await counters.read('one'), 100);
    t.is(await counters.read('another'), 0);
  });

  test.serial(`a window ends when the first take said, however many follow (${name})`, async (t) => {
    const counters = await open(t);
    t.is(await counters.take('w', 2), 1);
    await pass(1100);
    t.is(await counters.take('w', 2), 2);
    await pass(2000);
    t.is(await counters.read('w'), 0);
    t.is(await counters.take('w', 2), 1);
  });

  test.serial(
    `D7 takes within several limits stop at the first that is used up, for a hundred at once (${name})`,
    async (t) => {
      const counters = await open(t);
      const allowances = [
        { name: 'wide', max: 8, windowSeconds: 60 },
        { name: 'short', max: 5, windowSeconds: 60 },
        { name: 'long', max: 100, windowSeconds: 600 },
      ];
      const places = await Promise.all(Array.from({ length: 100 }, () => counters.takeWithin(allowances)));
      const times = (place: number): number => places.filter((one) => one === place).length;
      t.deepEqual([times(-1), times(0), times(1), times(2)], [5, 92, 3, 0]);
      t.deepEqual(
        [await counters.read('wide'), await counters.read('short'), await counters.read('long')],
        [100, 8, 5],
        'what was refused fills nothing behind it',
      );
    },
  );

  test.serial(`what turned out right starts again or gets one back, and nothing else changes (${name})`, async (t) => {
    const counters = await open(t);
    for (const counter of ['c', 'd', 'e', 'f']) {
      await counters.take(counter, 60);
      await counters.take(counter, 60);
    }
    await counters.settle({ cleared: ['c', 'd', 'unknown'], returned: ['e', 'unknown'] });
    const read = async (): Promise<readonly number[]> =>
      Promise.all(['c', 'd', 'e', 'f', 'unknown'].map((counter) => counters.read(counter)));
    t.deepEqual(await read(), [0, 0, 1, 2, 0]);
    t.is(await counters.take('c', 60), 1);
    await counters.settle({ cleared: [], returned: ['e'] });
    await counters.settle({ cleared: [], returned: ['e'] });
    t.deepEqual(await read(), [1, 0, 0, 2, 0], 'never below nought');
  });
}

counterSuite(embeddedTest, 'memory', async () => createMemoryCounters(), turn);
counterSuite(embeddedTest, 'sqlite', async (t) => createSqlCounters(await sqliteDatabase(t)), turn);
counterSuite(postgresTest, 'postgres', async (t) => createSqlCounters(await postgresDatabase(t)), turn);
counterSuite(redisTest, 'redis', async (t) => createRedisCounters(await redisPrefix(t)), sleep);

redisTest('a counter works after Redis forgot its scripts', async (t) => {
  const redis = await redisPrefix(t);
  const counters = createRedisCounters(redis);
  t.is(await counters.take('x', 60), 1);
  await redis.client.sendCommand(['SCRIPT', 'FLUSH']);
  t.is(await counters.take('x', 60), 2);
});

embeddedTest('what a right secret settles is undone with the write it belongs to', async (t) => {
  const database = await sqliteDatabase(t);
  const counters = createSqlCounters(database);
  await counters.take('c', 60);
  const settle = (undone: boolean): Promise<void> =>
    database.write(async (tx) => {
      await counters.settle({ cleared: ['c'], returned: [] }, tx);
      if (undone) throw new Error('undone');
    });
  await t.throwsAsync(settle(true), { message: 'undone' });
  t.is(await counters.read('c'), 1);
  await settle(false);
  t.is(await counters.read('c'), 0);
});

embeddedTest('memory counters stay bounded under a flood of names', async (t) => {
  const counters = createMemoryCounters(100);
  for (let index = 0; index < 1_000; index += 1) await counters.take(`n${index}`, 60);
  t.is(await counters.read('n0'), 0);
  t.is(await counters.read('n999'), 1);
});
