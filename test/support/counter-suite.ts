import type { ExecutionContext } from 'ava';
import type { Counters } from '../../src/storage/counters.ts';
import { createMemoryCounters } from '../../src/storage/memory-counters.ts';
import { createRedisCounters } from '../../src/storage/redis-counters.ts';
import type { RedisOptions } from '../../src/storage/redis-topology.ts';
import { type EngineTest, redisPrefix } from './databases.ts';

/** What all `Counters` owe. `pass` lets time go by for this implementation. */
export function counterSuite(
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
    t.deepEqual(await counters.readAll(['f', 'unknown', 'c', 'e']), [2, 0, 0, 1], 'several at once, in their order');
    t.is(await counters.take('c', 60), 1);
    await counters.settle({ cleared: [], returned: ['e'] });
    await counters.settle({ cleared: [], returned: ['e'] });
    t.deepEqual(await read(), [1, 0, 0, 2, 0], 'never below nought');
  });
}

export const countersOverRedis = async (t: ExecutionContext, options?: RedisOptions): Promise<Counters> =>
  createRedisCounters({ ...(await redisPrefix(t, options)), standIn: createMemoryCounters() });
