import { join } from 'node:path';
import type pg from 'pg';
import { type House, openHouse } from '../src/app.ts';
import { createProgress } from '../src/commands/progress.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { createSeed } from '../src/seed-doors.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { multiplyPeople, PEOPLE_TABLES } from './multiplied-people.ts';

/*
 * Schemas of PostgreSQL with so many people: made by what `tongban demo seed` makes them by, up to where there are more than a server keeps in
 * its memory by far, and beyond that multiplied by PostgreSQL itself, twenty to one at most.
 */

const MADE_AT_LEAST = 50_000;
const TIMES_MAX = 20;
const PHONE_SHARE = 20;
/** Without statistics of the first ones the planner walks through all who are there to see who of a batch is there already. */
const BEFORE_STATISTICS = 10_000;
const SEEDED = { companies: 0, phoneShare: PHONE_SHARE, withPassword: 0, password: undefined } as const;
const READY = 'filled';

const RELATIONS = `SELECT c.oid, pg_relation_size(c.oid) AS bytes FROM pg_class c
  WHERE c.relnamespace = $1::regnamespace AND c.relname ~ '^(${PEOPLE_TABLES.join('|')})' AND c.relkind IN ('r', 'i')
  ORDER BY c.relkind DESC, c.relname`;

/** A place for a house: a schema of the server at `url`, and a folder. */
export interface PeopledSchema {
  readonly schema: string;
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
  /** How many there are, and how many of them the product made: the first ones of `syntheticPerson`. */
  readonly people: number;
  readonly made: number;
}

/** The schema for so many people. Where they cannot be multiplied evenly there are a few more. */
export function schemaFor(people: number, server: string, folder: string): PeopledSchema {
  const times = Math.min(TIMES_MAX, Math.max(1, Math.floor(people / MADE_AT_LEAST)));
  const made = Math.ceil(people / times);
  const schema = `tongban_scale_${people}`;
  const url = `${server}?options=${encodeURIComponent(`-c search_path=${schema}`)}`;
  const env = {
    TONGBAN_PROFILE: 'test',
    TONGBAN_DATA_DIR: join(folder, schema),
    TONGBAN_DATABASE_URL: url,
    // A batch is thousands of rows, on a machine that may be busy.
    TONGBAN_DATABASE_STATEMENT_TIMEOUT_MS: '60000',
  };
  return { schema, env, url, people: made * times, made };
}

export function openPeopled({ env }: PeopledSchema): Promise<House> {
  const prepared = prepareConfig({ env });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  return openHouse(prepared.config);
}

/** Fills the schema; one that a run before has filled is taken as it is, one that was left half filled is begun anew. */
export async function fillPeople(client: pg.Client, place: PeopledSchema): Promise<void> {
  const { schema, url, people, made } = place;
  const startedMs = monotonicMs();
  const { rows } = await client.query('SELECT obj_description(to_regnamespace($1)) AS said', [schema]);
  if (rows[0].said !== READY) {
    await client.query(`DROP SCHEMA IF EXISTS ${schema}, ${schema}_made CASCADE`);
    await client.query(`CREATE SCHEMA ${schema}`);
    await seed(client, place);
    if (people > made) await multiplyPeople(url, people / made, `${schema}_made`);
    await takeStatistics(client, schema);
    await client.query(`COMMENT ON SCHEMA ${schema} IS '${READY}'`);
  }
  const relations = (await client.query(RELATIONS, [schema])).rows;
  const bytes = relations.reduce((sum, relation) => sum + Number(relation.bytes), 0);
  const seconds = ((monotonicMs() - startedMs) / 1000).toFixed(0);
  process.stderr.write(
    `${people} people, ${made} of them made by the product: ${(bytes / 1e6).toFixed(0)} MB of rows and indexes, ready after ${seconds} s\n`,
  );
}

async function seed(client: pg.Client, place: PeopledSchema): Promise<void> {
  const house = await openPeopled(place);
  const first = Math.min(place.made, BEFORE_STATISTICS);
  const progress = createProgress(process.stderr, `people of ${place.schema} made by the product`);
  const makes = (people: number, before: number) =>
    createSeed(house).run({
      ...SEEDED,
      people,
      signal: new AbortController().signal,
      progress: (_kind, done) => progress.at(before + done, place.made),
    });
  try {
    await makes(first, 0);
    await takeStatistics(client, place.schema);
    if (place.made > first) await makes(place.made - first, first);
  } finally {
    progress.end();
    await house.close();
  }
}

/** What autovacuum does on a server that has been up. Helpers would want more shared memory than a container may have. */
async function takeStatistics(client: pg.Client, schema: string): Promise<void> {
  for (const table of PEOPLE_TABLES) await client.query(`VACUUM (ANALYZE, PARALLEL 0) ${schema}.${table}`);
}

/** What a server that has been up for a day has done long since: the pages are in its memory, or at least in that of the machine. Indexes come last. */
export async function readPages(client: pg.Client, schema: string): Promise<void> {
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_prewarm');
  for (const { oid, bytes } of (await client.query(RELATIONS, [schema])).rows) {
    if (Number(bytes) > 0) await client.query("SELECT pg_prewarm($1::oid::regclass, 'buffer')", [oid]);
  }
}
