import { setTimeout as sleep } from 'node:timers/promises';
import { turnClock } from '../src/shared/clock.ts';
import { createMemoryCounters } from '../src/storage/memory-counters.ts';
import { createRedisCounters } from '../src/storage/redis-counters.ts';
import { createSqlCounters } from '../src/storage/sql-counters.ts';
import { counterSuite, countersOverRedis } from './support/counter-suite.ts';
import {
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

counterSuite(embeddedTest, 'memory', async () => createMemoryCounters(), turn);
counterSuite(embeddedTest, 'sqlite', async (t) => createSqlCounters(await sqliteDatabase(t)), turn);
counterSuite(postgresTest, 'postgres', async (t) => createSqlCounters(await postgresDatabase(t)), turn);
counterSuite(redisTest, 'redis', (t) => countersOverRedis(t), sleep);

redisTest('a counter works after Redis forgot its scripts', async (t) => {
  const redis = await redisPrefix(t);
  const counters = createRedisCounters({ ...redis, standIn: createMemoryCounters() });
  t.is(await counters.take('x', 60), 1);
  await redis.client.sendCommand('x', ['SCRIPT', 'FLUSH']);
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
