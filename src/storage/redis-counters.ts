import { Fault } from '../shared/fault.ts';
import { type Allowance, type Counters, settleSingly, takeInTurn } from './counters.ts';
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

export interface RedisCountersOptions {
  readonly client: RedisCommands;
  readonly prefix: string;
  /** Counts while Redis is away. What was counted in Redis is forgotten for so long, so within limits half is allowed. */
  readonly standIn: Counters;
}

/**
 * Counters in Redis (7.0 or newer), shared by all nodes and lost with it: for limits of addresses, never for what guards an account (S5).
 * Each name is a key of its own, so a cluster spreads them.
 */
export function createRedisCounters({ client, prefix, standIn }: RedisCountersOptions): Counters {
  const keyOf = (name: string): string => `${prefix}:counter:${name}`;
  const orElse = async <T>(work: () => Promise<T>, otherwise: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Fault && error.code === 'storage_unavailable') return otherwise();
      throw error;
    }
  };
  const take = async (name: string, windowSeconds: number): Promise<number> =>
    Number(await TAKE.run(client, [keyOf(name)], [String(windowSeconds)]));
  const read = async (name: string): Promise<number> =>
    Number((await command(client, keyOf(name), ['GET', keyOf(name)])) ?? 0);
  const clear = async (name: string): Promise<void> => {
    await command(client, keyOf(name), ['DEL', keyOf(name)]);
  };
  const giveBack = async (name: string): Promise<void> => {
    await GIVE_BACK.run(client, [keyOf(name)], []);
  };
  return {
    take: (name, windowSeconds) =>
      orElse(
        () => take(name, windowSeconds),
        () => standIn.take(name, windowSeconds),
      ),
    takeWithin: (allowances) =>
      orElse(
        () => takeInTurn(take, allowances),
        () => standIn.takeWithin(allowances.map(halved)),
      ),
    read: (name) =>
      orElse(
        () => read(name),
        () => standIn.read(name),
      ),
    // A command each, since a cluster may keep each on another node; the client writes those of one turn together.
    readAll: (names) =>
      orElse(
        () => Promise.all(names.map(read)),
        () => standIn.readAll(names),
      ),
    settle: (settled) =>
      orElse(
        () => settleSingly(settled, clear, giveBack),
        () => standIn.settle(settled),
      ),
    settlesInside: false,
  };
}

const halved = (allowance: Allowance): Allowance => ({ ...allowance, max: Math.ceil(allowance.max / 2) });
