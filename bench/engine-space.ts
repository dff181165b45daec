import pg from 'pg';
import { createClient } from 'redis';
import { randomToken } from '../src/shared/random.ts';

export const POSTGRES_URL = 'postgres://postgres@127.0.0.1:5432/test';
export const REDIS_URL = 'redis://127.0.0.1:6379';

export const ENGINES = ['sqlite', 'postgres-redis'] as const;
export type EngineName = (typeof ENGINES)[number];

/** What Redis spends on everything under a prefix, by its own account (MEMORY USAGE), and the part of it that lives longer than two minutes. */
export interface RedisBytes {
  readonly all: number;
  readonly lasting: number;
}

const LASTING_SECONDS = 120;

/**
 * A place of its own on servers that are there already: a database of PostgreSQL, a prefix of Redis. A schema is not enough: where thousands have come
 * and gone, what they left in the catalogue made a start 1.7 times as long and an SSO twice (docs/performance.md).
 */
export interface EngineSpace {
  /** What a node is told to use it. */
  readonly env: Readonly<Record<string, string>>;
  readonly redisBytes: () => Promise<RedisBytes>;
  /** Drops the database and what is under the prefix. */
  readonly remove: () => Promise<void>;
}

/** Servers in place of those of this machine. */
export interface EngineServers {
  readonly postgresUrl: string;
  readonly redisUrl: string;
}

/** The place an engine needs: none for SQLite. */
export async function spaceOf(engine: EngineName | EngineServers | undefined): Promise<EngineSpace | undefined> {
  if (engine === undefined || engine === 'sqlite') return undefined;
  return engine === 'postgres-redis' ? openEngineSpace() : openEngineSpace(engine.postgresUrl, engine.redisUrl);
}

/** Makes one; throws where a server does not answer. */
export async function openEngineSpace(postgresUrl = POSTGRES_URL, redisUrl = REDIS_URL): Promise<EngineSpace> {
  const name = randomToken(12)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '0');
  const database = `tongban_${name}`;
  const prefix = `bench-${name}`;
  const url = new URL(postgresUrl);
  url.pathname = `/${database}`;
  await administer(postgresUrl, `CREATE DATABASE ${database} TEMPLATE template0`);
  return {
    env: {
      TONGBAN_DATABASE_URL: url.href,
      TONGBAN_REDIS_URL: redisUrl,
      TONGBAN_REDIS_PREFIX: prefix,
    },
    redisBytes: async () => {
      const bytes = { all: 0, lasting: 0 };
      await underPrefix(redisUrl, prefix, async (client, key) => {
        const [used, seconds] = await Promise.all([client.memoryUsage(key), client.ttl(key)]);
        bytes.all += used ?? 0;
        if (seconds > LASTING_SECONDS) bytes.lasting += used ?? 0;
      });
      return bytes;
    },
    remove: async () => {
      await administer(postgresUrl, `DROP DATABASE ${database} WITH (FORCE)`);
      await underPrefix(redisUrl, prefix, (client, key) => client.del(key));
    },
  };
}

const redisAt = (url: string) => createClient({ url });
type RedisClient = ReturnType<typeof redisAt>;

/** Does something with every key. */
async function underPrefix(
  url: string,
  prefix: string,
  each: (client: RedisClient, key: string) => Promise<unknown>,
): Promise<void> {
  const client = redisAt(url);
  // Without somebody who hears it, an error would end the process; the command that met it fails as well.
  client.on('error', () => {});
  await client.connect();
  try {
    // The prefix is a hash tag for some keys and plain for others.
    for await (const keys of client.scanIterator({ MATCH: `*${prefix}*`, COUNT: 1000 })) {
      await Promise.all(keys.map((key) => each(client, key)));
    }
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
