import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type House, openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { startOwnPostgres } from './own-postgres.ts';
import { measureLookUps, tellLookUps } from './scale-look-ups.ts';
import { seedPeople } from './seed-people.ts';

/*
 * Whether finding somebody at sign-in stays as fast on PostgreSQL with a million people, or ten, as with ten thousand. Both stand in schemas of one
 * server, filled by `tongban demo seed`, in rows of several thousand at once.
 */

const FEW = 10_000;
const PHONE_SHARE = 20;
/** A server of a province has more; what it must do is keep the indexes in the memory of the machine. */
const SETTINGS = [
  'shared_buffers=1GB',
  'max_wal_size=4GB',
  'checkpoint_timeout=30min',
  'synchronous_commit=off',
  'autovacuum=off',
];
/** Rows, indexes, and the log that is written meanwhile. */
const BYTES_A_PERSON = 3_000;
const SPARE_BYTES = 8e9;
/** What a sign-in looks people up in. */
const TABLES = ['persons', 'identity_documents', 'sign_in_identifiers'];
const RELATIONS = `SELECT c.oid, pg_relation_size(c.oid) AS bytes FROM pg_class c
  WHERE c.relnamespace = $1::regnamespace AND c.relname ~ '^(${TABLES.join('|')})' AND c.relkind IN ('r', 'i')`;

/** `npm run bench -- --scale --engine postgres`. Resolves with the exit code: 1 when the bar is missed, 2 when it cannot be measured. */
export async function runPostgresScale(
  people: number,
  { postgres: url, json }: { readonly postgres?: string | undefined; readonly json?: string | undefined },
): Promise<number> {
  if (!Number.isInteger(people) || people <= FEW) {
    process.stderr.write(`--people is a whole number above ${FEW}.\n`);
    return 2;
  }
  const { bavail, bsize } = await statfs(tmpdir());
  if (url === undefined && bavail * bsize < people * BYTES_A_PERSON + SPARE_BYTES) {
    process.stderr.write(
      `The disk has no room for ${people} people: ${Math.round((bavail * bsize) / 1e9)} GB are free.\n`,
    );
    return 2;
  }
  const own = url === undefined ? await startOwnPostgres(SETTINGS) : undefined;
  const folder = await mkdtemp(join(tmpdir(), 'tongban-scale-'));
  const client = new pg.Client({ connectionString: url ?? own!.url });
  // Its server may end first.
  client.on('error', () => {});
  const houses: House[] = [];
  try {
    await client.connect();
    const counts = [FEW, people] as const;
    for (const count of counts) houses.push(await filled(client, url ?? own!.url, folder, count));
    const [few, many] = houses as [House, House];
    const rows = await measureLookUps(
      [
        { people: FEW, house: few },
        { people, house: many },
      ],
      { warm: () => readIndexes(client, counts), alone: false },
    );
    return await tellLookUps(rows, counts, json);
  } finally {
    for (const house of houses) await house.close();
    await client.end();
    await own?.remove();
    await rm(folder, { recursive: true, force: true });
  }
}

const schemaOf = (count: number): string => `tongban_scale_${count}`;

/** A house on a schema with so many people; what a run before has left in it is taken. */
async function filled(client: pg.Client, url: string, folder: string, count: number): Promise<House> {
  const schema = schemaOf(count);
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
  const env = {
    TONGBAN_PROFILE: 'test',
    TONGBAN_DATA_DIR: join(folder, schema),
    TONGBAN_DATABASE_URL: `${url}?options=${encodeURIComponent(`-c search_path=${schema}`)}`,
    // A batch is thousands of rows, on a machine that may be busy.
    TONGBAN_DATABASE_STATEMENT_TIMEOUT_MS: '60000',
  };
  const startedMs = monotonicMs();
  // Without statistics of the first ones the planner walks through all who are there to see who of a batch is there already.
  for (const people of count === FEW ? [FEW] : [FEW, count]) {
    await seedPeople(env, { people, companies: 0, phoneShare: PHONE_SHARE, withPassword: 0 });
    for (const table of TABLES) await client.query(`VACUUM (ANALYZE) ${schema}.${table}`);
  }
  const { rows } = await client.query(RELATIONS, [schema]);
  const bytes = rows.reduce((sum, row) => sum + Number(row.bytes), 0);
  const seconds = ((monotonicMs() - startedMs) / 1000).toFixed(0);
  process.stderr.write(
    `${count} people: ${(bytes / 1e6).toFixed(0)} MB of rows and indexes, ready after ${seconds} s\n`,
  );
  const prepared = prepareConfig({ env });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  return openHouse(prepared.config);
}

/** What a server that has been up for a day has done long since: the pages are in the memory of the machine. */
async function readIndexes(client: pg.Client, counts: readonly number[]): Promise<void> {
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_prewarm');
  for (const count of counts) {
    const { rows } = await client.query(RELATIONS, [schemaOf(count)]);
    for (const { oid, bytes } of rows) {
      if (Number(bytes) > 0) await client.query("SELECT pg_prewarm($1::oid::regclass, 'read')", [oid]);
    }
  }
}
