import { createHash } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import pg from 'pg';
import { randomToken } from '../../src/shared/random.ts';
import { MIGRATIONS } from '../../src/storage/migrations.ts';
import { migrateStore } from '../../src/storage/open.ts';

/** Any constant that no other program uses on the same server. */
const TEMPLATE_LOCK = 7_301_560;

/** A connection for one piece of administration of the server at `serverUrl`, whose path names a database that is there. */
async function administering<T>(serverUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function urlOf(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/**
 * The address of an empty store of this version in a database of its own, dropped with the test. The migrations make it once for each version
 * and server, as a template, and PostgreSQL copies that: a tenth of what it takes to migrate.
 */
export async function postgresStoreAt(t: Pick<ExecutionContext, 'teardown'>, serverUrl: string): Promise<string> {
  template ??= templateAt(serverUrl);
  const source = await template;
  const name = `tongban_${randomToken(12).toLowerCase().replaceAll('-', '_')}`;
  await administering(serverUrl, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${source}`));
  t.teardown(() => administering(serverUrl, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`)));
  return urlOf(serverUrl, name);
}

let template: Promise<string> | undefined;

/** Of several processes at once one makes it; it bears its name only once it is whole. */
function templateAt(serverUrl: string): Promise<string> {
  const statements = MIGRATIONS.map(({ id, name, statements: of }) => [id, name, of('postgres')]);
  const version = createHash('sha256').update(JSON.stringify(statements)).digest('hex').slice(0, 16);
  const name = `tongban_template_${version}`;
  return administering(serverUrl, async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount !== 0) return name;
    await client.query(`DROP DATABASE IF EXISTS ${name}_unfinished`);
    await client.query(`CREATE DATABASE ${name}_unfinished`);
    await migrateStore({ url: urlOf(serverUrl, `${name}_unfinished`) });
    await client.query(`ALTER DATABASE ${name}_unfinished RENAME TO ${name}`);
    return name;
  });
}
