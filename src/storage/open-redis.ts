import type { RedisConnection } from './redis-client.ts';
import type { RedisOptions } from './redis-topology.ts';

/**
 * Connects to Redis; the driver is loaded only by those who use it.
 * Throws `Fault('storage_unavailable')` when it does not answer.
 */
export async function openRedis(options: RedisOptions): Promise<RedisConnection> {
  const { connectRedis } = await import('./redis-client.ts');
  return connectRedis(options);
}
