import { setTimeout as sleep } from 'node:timers/promises';
import { turnClock } from '../src/shared/clock.ts';
import { createMemoryCounters } from '../src/storage/memory-counters.ts';
import { openDatabase } from '../src/storage/open.ts';
import { createRedisCounters } from '../src/storage/redis-counters.ts';
import { createSqlCounters } from '../src/storage/sql-counters.ts';
import { counterSuite, countersOverRedis } from './support/counter-suite.ts';
import {
  embeddedTest,
  postgresDatabase,
  postgresSchema,
  postgresTest,
  redisPrefix,
  redisTest,
  sqliteDatabase,
} from './support/databases.ts';
import { seededRandom } from './support/seeded-random.ts';

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

postgresTest(
  'sign-ins from the same places and of the same people at two nodes never wait for one another in a circle',
  async (t) => {
    const url = await postgresSchema(t);
    const nodes = await Promise.all([1, 2].map(() => openDatabase({ url, poolMax: 12 })));
    t.teardown(() => Promise.all(nodes.map((node) => node.close())));
    const circles = async (): Promise<number> => {
      const [row] = await nodes[0]!.all<{ deadlocks: number }>(
        'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
        [],
      );
      return Number(row!.deadlocks);
    };
    const random = seededRandom(7);
    const before = await circles();
    const counters = nodes.map(createSqlCounters);
    await Promise.all(
      Array.from({ length: 600 }, async (_, n) => {
        const [place, account] = [random.pick(['a', 'b', 'c', 'd']), random.pick(['A', 'B', 'C', 'D'])];
        const [returned, cleared] = [
          [`address:${place}`, `network:${place < 'c' ? 'z' : 'y'}`],
          [`${account}:1`, `${account}:2`],
        ];
        const mine = counters[n % 2]!;
        const allowances = [...returned, ...cleared].map((name) => ({ name, max: 10_000, windowSeconds: 60 }));
        if (n % 3 === 0) await mine.takeWithin(allowances);
        else await nodes[n % 2]!.write((tx) => mine.settle({ returned, cleared }, tx));
      }),
    );
    await sleep(1_200);
    t.is(await circles(), before);
  },
);

embeddedTest('memory counters stay bounded under a flood of names', async (t) => {
  const counters = createMemoryCounters(100);
  for (let index = 0; index < 1_000; index += 1) await counters.take(`n${index}`, 60);
  t.is(await counters.read('n0'), 0);
  t.is(await counters.read('n999'), 1);
});
