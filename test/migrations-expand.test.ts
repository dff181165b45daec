import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { Database } from '../src/storage/database.ts';
import { migrate } from '../src/storage/migrate.ts';
import { MIGRATIONS } from '../src/storage/migrations.ts';
import { openPostgres } from '../src/storage/postgres.ts';
import { openSqlite } from '../src/storage/sqlite.ts';
import { postgresSchema, postgresTest } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { insertText, plausibleRow, type RowMaker, rowMakers } from './support/plausible-rows.ts';

/** The last step that was made when no store but ours had the schema: it loosened constraints, and rebuilt tables for that. */
const REBUILDING = ['people'];

/**
 * What a step may say, so that the version before goes on beside it: make tables, indexes and triggers, add columns that may be left out.
 * An index on a table that was there before is not unique, since older code may write what it forbids.
 */
const ALLOWED: readonly RegExp[] = [
  /^CREATE TABLE (\w+) \(/,
  /^CREATE INDEX (?:IF NOT EXISTS )?\w+ ON \w+ /,
  /^ALTER TABLE \w+ ADD COLUMN \w+ (?:TEXT|INTEGER|BIGINT|BLOB|BYTEA)(?: (?:NOT NULL )?DEFAULT '?[\w-]*'?)?$/,
];
/** What a step may do to a table it has itself just made. */
const ALLOWED_TO_OWN: readonly RegExp[] = [
  /^CREATE UNIQUE INDEX \w+ ON (\w+) /,
  /^CREATE TRIGGER \w+ (?:BEFORE|AFTER) [A-Z ]+ ON (\w+) /,
  /^INSERT INTO (\w+) /,
];
/** Older code that writes a table that was there before may fire a trigger which writes a new one, and nothing else. */
const FIRES_AFTER =
  /^CREATE TRIGGER \w+ AFTER (?:INSERT|DELETE|UPDATE OF [\w, ]+) ON \w+ (?:WHEN [^;]+ )?BEGIN (.+) END$/;
const WRITES = /\b(?:INSERT (?:OR \w+ )?INTO|DELETE FROM|UPDATE(?! OF\b)|REPLACE INTO) (\w+)/g;
/** A function may be replaced by one that does all it did, and tells of it as well: read before it is let in here. */
const ANY_FUNCTION = /^CREATE (?:FUNCTION \w+|OR REPLACE FUNCTION raise_change_stamp)\(\) RETURNS trigger /;

/** From here on an index on a table that stands may have been built by hand before, without holding up writers. */
const BUILT_BY_HAND_SINCE = 19;

const oneLine = (statement: string): string => statement.replaceAll(/\s+/g, ' ').trim();

function breachesOf(statements: readonly string[]): readonly string[] {
  const own = new Set(statements.flatMap((statement) => /^CREATE TABLE (\w+) /.exec(oneLine(statement))?.[1] ?? []));
  return statements.map(oneLine).filter((statement) => {
    if (ALLOWED.some((form) => form.test(statement)) || ANY_FUNCTION.test(statement)) return false;
    const written = [...(FIRES_AFTER.exec(statement)?.[1] ?? '').matchAll(WRITES)].map(([, table]) => table!);
    if (written.length > 0 && written.every((table) => own.has(table)) && !/\bRAISE\b/.test(statement)) return false;
    return !ALLOWED_TO_OWN.some((form) => own.has(form.exec(statement)?.[1] ?? ''));
  });
}

test('X13 every step of the schema only adds what older code need not know', (t) => {
  for (const { name, statements } of MIGRATIONS) {
    if (REBUILDING.includes(name)) continue;
    for (const engine of ['sqlite', 'postgres'] as const)
      t.deepEqual(breachesOf(statements(engine)), [], `${name} on ${engine}`);
  }
});

test('X13 an index on a table that stands may be there already', (t) => {
  for (const { id, statements } of MIGRATIONS.filter((step) => step.id >= BUILT_BY_HAND_SINCE)) {
    const texts = statements('postgres').map(oneLine);
    const strange = texts.filter((text) => {
      const [, table] = /^CREATE INDEX \w+ ON (\w+) /.exec(text) ?? [];
      return table !== undefined && !texts.some((other) => other.startsWith(`CREATE TABLE ${table} `));
    });
    t.deepEqual(strange, [], `step ${id}`);
  }
  t.pass();
});

test('X13 a step that takes away, renames, narrows or forbids is noticed', (t) => {
  for (const statement of [
    'DROP TABLE settings',
    'ALTER TABLE settings DROP COLUMN value',
    'ALTER TABLE settings RENAME COLUMN value TO content',
    'ALTER TABLE settings ADD COLUMN owner TEXT NOT NULL',
    'ALTER TABLE settings ALTER COLUMN value SET NOT NULL',
    'CREATE UNIQUE INDEX settings_value ON settings (value)',
    'UPDATE settings SET value = 1',
    'INSERT INTO settings (name, value) VALUES (1, 2)',
    'CREATE TRIGGER t BEFORE INSERT ON settings BEGIN SELECT 1; END',
  ])
    t.deepEqual(breachesOf([statement]), [statement]);
  t.deepEqual(breachesOf(['CREATE TABLE x (id TEXT)', 'CREATE UNIQUE INDEX x_id ON x (id)']), []);
  const fires = (work: string): string => `CREATE TRIGGER t AFTER INSERT ON settings BEGIN ${work}; END`;
  t.deepEqual(breachesOf(['CREATE TABLE x (id TEXT)', fires('DELETE FROM x')]), []);
  for (const work of ['DELETE FROM x; DELETE FROM settings', "DELETE FROM x; SELECT RAISE(ABORT, 'no')"])
    t.deepEqual(breachesOf(['CREATE TABLE x (id TEXT)', fires(work)]), [fires(work)]);
});

interface Column {
  readonly name: string;
  readonly type: string;
  /** Must be said by whoever writes a row. */
  readonly required: number;
}

const COLUMNS: Readonly<Record<Database['engine'], string>> = {
  sqlite: 'SELECT name, type, "notnull" AND dflt_value IS NULL AS required FROM pragma_table_info($1) ORDER BY cid',
  postgres: `SELECT column_name AS name, data_type AS type,
      CASE WHEN is_nullable = 'NO' AND column_default IS NULL THEN 1 ELSE 0 END AS required
    FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`,
};

async function schemaOf(
  database: Database,
  makers: readonly RowMaker[],
): Promise<ReadonlyMap<string, readonly Column[]>> {
  const tables = new Map<string, readonly Column[]>();
  for (const { table } of makers) tables.set(table, await database.all<Column>(COLUMNS[database.engine], [table]));
  return tables;
}

const firstKept = MIGRATIONS.findIndex(({ name }) => name === REBUILDING.at(-1)) + 1;

/**
 * Goes up step by step: what older code knows must stand as it stood, what is new may be left out, and rows as the code of each earlier step
 * writes them must go in after the last one.
 */
async function olderCodeGoesOn(t: ExecutionContext, database: Database): Promise<void> {
  const scratch = await openSqlite({ file: join(temporaryFolder(t), 'scratch.sqlite') });
  t.teardown(() => scratch.close());
  const older: (readonly RowMaker[])[] = [];
  let before: ReadonlyMap<string, readonly Column[]> = new Map();
  for (let upTo = firstKept; upTo <= MIGRATIONS.length; upTo += 1) {
    const migrations = MIGRATIONS.slice(0, upTo);
    await migrate(database, { migrations });
    await migrate(scratch, { migrations });
    const makers = await rowMakers(scratch);
    const now = await schemaOf(database, makers);
    for (const [table, columns] of before) {
      const found = now.get(table) ?? [];
      t.deepEqual(found.slice(0, columns.length), columns, `${table} after ${migrations.at(-1)!.name}`);
      t.deepEqual(
        found.slice(columns.length).filter(({ required }) => Number(required) === 1),
        [],
        table,
      );
    }
    before = now;
    older.push(makers);
  }
  t.true(older.length > 10);
  const persons = older[0]!.find(({ table }) => table === 'persons')!;
  await database.run(insertText(persons), plausibleRow(persons, 0));
  for (const [n, makers] of older.entries())
    for (const maker of makers) t.is(await database.run(insertText(maker), plausibleRow(maker, n + 1)), 1, maker.table);
}

test('X13 older code finds all it knows, and its rows still go in after the newest step', async (t) => {
  const database = await openSqlite({ file: join(temporaryFolder(t), 'tongban.sqlite') });
  t.teardown(() => database.close());
  await olderCodeGoesOn(t, database);
});

postgresTest(
  'X13 older code finds all it knows, and its rows still go in after the newest step (postgres)',
  async (t) => {
    const database = await openPostgres({ url: await postgresSchema(t), poolMax: 3 });
    t.teardown(() => database.close());
    await olderCodeGoesOn(t, database);
  },
);
