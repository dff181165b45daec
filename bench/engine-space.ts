import pg from 'pg';
import { createClient } from 'redis';
import { randomToken } from '../src/shared/random.ts';

export const POSTGRES_URL = 'postgres://postgres@127.0.0.1:5432/test';
export const REDIS_URL = 'redis://127.0.0.1:6379';

export const ENGINES = ['sqlite', 'postgres-redis'] as const;
export type EngineName = (typeof ENGINES)[number];

/** A place of its own on servers that are there already: a schema of PostgreSQL, a prefix of Redis. */
export interface EngineSpace {
  /** What a node is told to use it. */
  readonly env: Readonly<Record<string, string>>;
  /** Bytes Redis spends on everything under the prefix, by its own account (MEMORY USAGE). */
  readonly redisBytes: () => Promise<number>;
  /** Drops the schema and what is under the prefix. */
  readonly remove: () => Promise<void>;
}

/** Makes one; throws where a server does not answer. */
export async function openEngineSpace(postgresUrl = POSTGRES_URL, redisUrl = REDIS_URL): Promise<EngineSpace> {
  const name = randomToken(12)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '0');
  const schema = `tongban_${name}`;
  const prefix = `bench-${name}`;
  await administer(postgresUrl, `CREATE SCHEMA ${schema}`);
  return {
    env: {
      TONGBAN_DATABASE_URL: `${postgresUrl}?options=${encodeURIComponent(`-c search_path=${schema}`)}`,
      TONGBAN_REDIS_URL: redisUrl,
      TONGBAN_REDIS_PREFIX: prefix,
    },
    redisBytes: () => underPrefix(redisUrl, prefix, async (client, key) => (await client.memoryUsage(key)) ?? 0),
    remove: async () => {
      await administer(postgresUrl, `DROP SCHEMA ${schema} CASCADE`);
      await underPrefix(redisUrl, prefix, (client, key) => client.del(key));
    },
  };
}

const redisAt = (url: string) => createClient({ url });
type RedisClient = ReturnType<typeof redisAt>;

/** Does something with every key, and gives the sum of what came of it. */
async function underPrefix(
  url: string,
  prefix: string,
  each: (client: RedisClient, key: string) => Promise<number>,
): Promise<number> {
  const client = redisAt(url);
  // Without somebody who hears it, an error would end the process; the command that met it fails as well.
  client.on('error', () => {});
  await client.connect();
  try {
    let sum = 0;
    // The prefix is a hash tag for some keys and plain for others.
    for await (const keys of client.scanIterator({ MATCH: `*${prefix}*`, COUNT: 1000 })) {
      for (const value of await Promise.all(keys.map((key) => each(client, key)))) sum += value;
    }
    return sum;
  } finally {
    client.destroy();
  }
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
