import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Config } from './config/schema.ts';
import { CLOCK_TOLERANCE_SECONDS } from './oidc/adapter.ts';
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
import { createWaitingArtifacts, mayHaveWaiting, type WaitingArtifacts } from './storage/waiting-artifacts.ts';
import { servesAlone } from './workers/share.ts';

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
export async function openShortLived(config: Config, database: Database, guard: RowGuard): Promise<ShortLived> {
  const { redis } = config;
  const counters = createSqlCounters(database);
  if (redis.url === '') {
    const store = await openStore(config, database);
    return { store, rates: counters, redis: undefined, close: async () => store.leave?.() };
  }
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

/** Everything in SQL; of a process that serves alone what waits for people in memory. */
async function openStore(config: Config, database: Database): Promise<ArtifactStore & Partial<WaitingArtifacts>> {
  const store = createSqlArtifacts(database);
  if (!servesAlone(config, database.engine)) return store;
  const secondsMax = config.ttl.interactionSeconds + CLOCK_TOLERANCE_SECONDS;
  return createWaitingArtifacts(store, { mayBeStored: await mayHaveWaiting(database), secondsMax });
}
