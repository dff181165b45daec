import { type Counters, settleSingly, takeInTurn } from './counters.ts';
import { command, type RedisCommands, RedisScript } from './redis-script.ts';

/** NX: the first take fixes the end of the window, and a later one never moves it. */
const TAKE = new RedisScript(`
local value = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1], 'NX')
return value
`);

/** Keeps the end of the window, and makes no counter where the window is over. */
const GIVE_BACK = new RedisScript(`
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then return redis.call('DECR', KEYS[1]) end
return 0
`);

/** Counters in Redis (7.0 or newer), shared by all nodes and lost with it. Each name is a key of its own, so a cluster spreads them. */
export function createRedisCounters({
  client,
  prefix,
}: {
  readonly client: RedisCommands;
  readonly prefix: string;
}): Counters {
  const keyOf = (name: string): string => `${prefix}:counter:${name}`;
  const take = async (name: string, windowSeconds: number): Promise<number> =>
    Number(await TAKE.run(client, [keyOf(name)], [String(windowSeconds)]));
  const clear = async (name: string): Promise<void> => {
    await command(client, ['DEL', keyOf(name)]);
  };
  const giveBack = async (name: string): Promise<void> => {
    await GIVE_BACK.run(client, [keyOf(name)], []);
  };
  return {
    take,
    takeWithin: (allowances) => takeInTurn(take, allowances),
    read: async (name) => Number((await command(client, ['GET', keyOf(name)])) ?? 0),
    settle: (settled) => settleSingly(settled, clear, giveBack),
    oneWriter: false,
  };
}
