import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { randomToken } from '../../src/shared/random.ts';
import type { Database } from '../../src/storage/database.ts';
import { openDatabase } from '../../src/storage/open.ts';
import { connectRedis, type RedisConnection } from '../../src/storage/redis-client.ts';
import type { RedisOptions } from '../../src/storage/redis-topology.ts';
import { temporaryFolder } from './folders.ts';
import { layStore } from './laid-store.ts';
import { postgresStoreAt } from './postgres-store.ts';

export { temporaryFolder };

const HOST = '127.0.0.1';
const POSTGRES_PORT = 5432;
const POSTGRES_URL = `postgres://postgres@${HOST}:${POSTGRES_PORT}/test`;
const REDIS_PORT = 6379;
const REDIS_URL = `redis://${HOST}:${REDIS_PORT}`;
const PROBE_MS = 3_000;
const PATIENCE_MS = 20_000;

/** A test that runs where its server listens; elsewhere it is counted as skipped, with the reason in its title. */
export interface EngineTest {
  (title: string, body: (t: ExecutionContext) => Promise<void>): void;
  serial(title: string, body: (t: ExecutionContext) => Promise<void>): void;
}

/** Tests that need no server. */
export const embeddedTest: EngineTest = Object.assign(
  (title: string, body: (t: ExecutionContext) => Promise<void>) => test(title, body),
  { serial: (title: string, body: (t: ExecutionContext) => Promise<void>) => test.serial(title, body) },
);
/** Ports somebody listens at, by the tables of proc(5). */
const LISTENING: ReadonlySet<number> = new Set(
  ['/proc/net/tcp', '/proc/net/tcp6']
    .filter(existsSync)
    .flatMap((table) =>
      [...readFileSync(table, 'latin1').matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 0A /gm)].map(
        ([, port]) => Number.parseInt(port!, 16),
      ),
    ),
);

export const postgresTest: EngineTest = testWhere('PostgreSQL', POSTGRES_PORT);
export const redisTest: EngineTest = testWhere('Redis', REDIS_PORT);

function testWhere(server: string, port: number): EngineTest {
  if (listens(port)) return embeddedTest;
  const skip = (title: string, body: (t: ExecutionContext) => Promise<void>): void =>
    test.skip(`${title} (skipped: no ${server} at ${HOST}:${port})`, body);
  return Object.assign(skip, { serial: skip });
}

/**
 * Tests must be declared before the first turn of the event loop: what Linux says of its sockets is read, and where that is no answer a process of its
 * own is sent and waited for.
 */
function listens(port: number): boolean {
  if (LISTENING.has(port)) return true;
  const probe = `require('node:net').connect({ host: '${HOST}', port: ${port} })
    .once('connect', () => process.exit(0)).once('error', () => process.exit(1))`;
  return spawnSync(process.execPath, ['-e', probe], { timeout: PROBE_MS }).status === 0;
}

/** A migrated SQLite database in a file of its own. */
export async function sqliteDatabase(t: ExecutionContext): Promise<Database> {
  const file = join(temporaryFolder(t), 'tongban.sqlite');
  await layStore(file);
  const database = await openDatabase({ file });
  t.teardown(() => database.close());
  return database;
}

/** The address of an empty PostgreSQL schema of its own, dropped with the test. */
export async function postgresSchema(t: ExecutionContext): Promise<string> {
  const schema = `tongban_${randomToken(12).toLowerCase().replaceAll('-', '_')}`;
  const administer = async (statement: string): Promise<void> => {
    const client = new pg.Client({ connectionString: POSTGRES_URL });
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  await administer(`CREATE SCHEMA ${schema}`);
  t.teardown(() => administer(`DROP SCHEMA ${schema} CASCADE`));
  return `${POSTGRES_URL}?options=${encodeURIComponent(`-c search_path=${schema}`)}`;
}

/** The address of an empty store of this version in PostgreSQL, dropped with the test. */
export const postgresStore = (t: ExecutionContext): Promise<string> => postgresStoreAt(t, POSTGRES_URL);

/** An empty store of this version in PostgreSQL. */
export async function postgresDatabase(t: ExecutionContext): Promise<Database> {
  const database = await openDatabase({ url: await postgresStore(t), poolMax: 5, connectTimeoutMs: PATIENCE_MS });
  t.teardown(() => database.close());
  return database;
}

/** A Redis connection and a prefix of its own, whose keys go with the test; of the shared server unless others are named. */
export async function redisPrefix(
  t: ExecutionContext,
  options: RedisOptions = { url: REDIS_URL },
): Promise<{ client: RedisConnection; prefix: string }> {
  // Dozens of tests at once in one process: what is late here is late for them, and no sign of a server that hangs.
  const client = await connectRedis({ connectTimeoutMs: PATIENCE_MS, commandTimeoutMs: PATIENCE_MS, ...options });
  const prefix = `tongban-test-${randomToken(12)}`;
  t.teardown(async () => {
    if (options.url === REDIS_URL) {
      const keys = (await client.sendCommand(prefix, ['KEYS', `*${prefix}*`])) as string[];
      if (keys.length > 0) await client.sendCommand(prefix, ['DEL', ...keys]);
    }
    await client.close();
  });
  return { client, prefix };
}
