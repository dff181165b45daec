import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Config } from './config/schema.ts';
import { Fault } from './shared/fault.ts';
import type { ArtifactStore } from './storage/artifact-store.ts';
import type { Counters } from './storage/counters.ts';
import type { Database } from './storage/database.ts';
import { openRedis } from './storage/open-redis.ts';
import { createRedisArtifacts } from './storage/redis-artifacts.ts';
import { createRedisCounters } from './storage/redis-counters.ts';
import { createRedisPresence, type RedisPresence } from './storage/redis-presence.ts';
import type { RowGuard } from './storage/row-guard.ts';
import { createSqlArtifacts } from './storage/sql-artifacts.ts';
import { createSqlCounters } from './storage/sql-counters.ts';

/** Where codes, tokens and the counts of addresses are. */
export interface ShortLived {
  readonly store: ArtifactStore;
  readonly rates: Counters;
  /** Undefined where SQL holds everything. */
  readonly redis: RedisPresence | undefined;
  readonly close: () => Promise<void>;
}

/**
 * In SQL, or with what may be lost in Redis where one is configured.
 * Throws `Fault('storage_unavailable')` when it does not answer, `Fault('internal')` when the file of its authorities cannot be read.
 */
export async function openShortLived({ redis }: Config, database: Database, guard: RowGuard): Promise<ShortLived> {
  const counters = createSqlCounters(database);
  if (redis.url === '')
    return { store: createSqlArtifacts(database), rates: counters, redis: undefined, close: async () => {} };
  const { prefix, authorityFile, ...connection } = redis;
  const presence = createRedisPresence(async () => client.ask());
  const client = await openRedis({
    ...connection,
    authorities: authorityFile === '' ? undefined : readAuthorities(authorityFile),
    onChange: presence.change,
  }).catch(async (error: unknown) => {
    await database.close();
    throw error;
  });
  return {
    store: createRedisArtifacts({ client, database, prefix, guard }),
    rates: createRedisCounters({ client, prefix, standIn: counters }),
    redis: presence,
    close: () => client.close(),
  };
}

/** Tells the log when SQL stands in for Redis, and when it need not any more. */
export function logRedis(redis: RedisPresence | undefined, log: Pick<Logger, 'warn' | 'info'>): void {
  redis?.listen((isAway, awayMs) =>
    isAway
      ? log.warn('Redis does not answer: SQL stands in')
      : log.info({ awayMs: Math.round(awayMs) }, 'Redis answers again'),
  );
}

function readAuthorities(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Fault('internal', `redis.authorityFile names ${file}, which cannot be read`, { cause: error });
  }
}
