import { availableParallelism } from 'node:os';
import type { Config } from '../config/schema.ts';

/** Connections to PostgreSQL a worker needs at least: one for what waits for a lock, and some for what does not. */
const POOL_MIN = 4;

/** How many processes serve. `auto`: one for each core of the machine. */
export const workerCount = ({ workers }: Pick<Config, 'workers'>, cores: number = availableParallelism()): number =>
  workers === 'auto' ? cores : workers;

/** Hashes at once on the whole machine, however many processes serve: they and the event loops share the cores. */
export const hashesAtOnce = ({ password }: Pick<Config, 'password'>, cores: number = availableParallelism()): number =>
  password.hashesAtOnce > 0 ? password.hashesAtOnce : Math.max(1, cores - 1);

/**
 * What one of `count` workers is told: limits of the machine are divided, so that together they are what is configured. The private port is the
 * primary's. Pure.
 */
export function shareOf(config: Config, count: number): Config {
  const part = (whole: number, min = 1): number => Math.max(Math.min(whole, min), Math.ceil(whole / count));
  const { database, http, password, outbox, monitoring } = config;
  return {
    ...config,
    database: { ...database, poolMax: part(database.poolMax, POOL_MIN) },
    http: {
      ...http,
      connectionsMax: part(http.connectionsMax),
      connectionsPerAddressMax: part(http.connectionsPerAddressMax),
    },
    password: { ...password, queueMax: part(password.queueMax) },
    outbox: { ...outbox, concurrencyMax: part(outbox.concurrencyMax) },
    monitoring: { ...monitoring, port: 0 },
  };
}
