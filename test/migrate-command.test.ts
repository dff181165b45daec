import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { run } from '../src/commands/migrate.ts';
import { checkConfig, prepareConfig } from '../src/config/prepare.ts';
import { Fault } from '../src/shared/fault.ts';
import type { Database } from '../src/storage/database.ts';
import { migrate } from '../src/storage/migrate.ts';
import type { Migration } from '../src/storage/migration.ts';
import { MIGRATIONS } from '../src/storage/migrations.ts';
import { connectForLong, migrateStore, openDatabase } from '../src/storage/open.ts';
import { openPostgres } from '../src/storage/postgres.ts';
import { openSqlite } from '../src/storage/sqlite.ts';
import { postgresSchema, postgresTest } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';

const OLDER = MIGRATIONS.slice(0, -2);
const NEWER = MIGRATIONS.slice(-2);

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function tongbanMigrate(overrides: { dataDir: string; url?: string }, ...args: string[]): Promise<Said> {
  const { dataDir, url = '' } = overrides;
  const input = { env: { TONGBAN_PROFILE: 'test' }, overrides: { dataDir, database: { url } } };
  const said = { out: '', err: '' };
  const code = await run(args, {
    prepare: (writes) => (writes ? prepareConfig(input) : checkConfig(input)),
    stdout: { write: (text) => (said.out += text) },
    stderr: { write: (text) => (said.err += text) },
  });
  return { code, ...said };
}

async function made(open: Promise<Database>, migrations: readonly Migration[]): Promise<void> {
  const database = await open;
  await migrate(database, { migrations });
  await database.close();
}

const journal = (database: Database): Promise<{ id: number }[]> =>
  database.all('SELECT id FROM migrations ORDER BY id', []);

test('X13 a dry run shows every statement, makes no file and changes none', async (t) => {
  const dataDir = join(temporaryFolder(t), 'data');
  const fresh = await tongbanMigrate({ dataDir }, '--dry-run');
  t.is(fresh.code, 0, fresh.err);
  t.false(existsSync(dataDir));
  for (const { statements } of MIGRATIONS)
    for (const statement of statements('sqlite')) t.true(fresh.out.includes(`${statement};`), statement);
  t.true(fresh.out.includes(`${MIGRATIONS.length} steps would run. Nothing was changed.`));

  const file = join(dataDir, 'tongban.db');
  await made(openSqlite({ file }), OLDER);
  const before = readFileSync(file);
  const later = await tongbanMigrate({ dataDir }, '--dry-run');
  t.is(later.code, 0, later.err);
  t.deepEqual(
    [...later.out.matchAll(/^-- (\d{4}) (\S+)$/gm)].map(([, id, name]) => [Number(id), name]),
    NEWER.map(({ id, name }) => [id, name]),
  );
  t.deepEqual(readFileSync(file), before);
});

test('X13 the command brings a store to this version once, and a start may be told to leave that to it', async (t) => {
  const dataDir = temporaryFolder(t);
  const file = join(dataDir, 'tongban.db');
  await made(openSqlite({ file }), OLDER);
  const refused = await t.throwsAsync(openDatabase({ file }, { mayMigrate: false }), { instanceOf: Fault });
  t.regex(refused!.message, new RegExp(`lacks ${NEWER[0]!.id} .*tongban migrate`));
  const done = await tongbanMigrate({ dataDir });
  t.is(done.code, 0, done.err);
  for (const { name } of NEWER) t.true(done.out.includes(name));
  t.is((await tongbanMigrate({ dataDir })).out, 'The store is of this version; there is nothing to do.\n');
  await (await openDatabase({ file }, { mayMigrate: false })).close();
  t.is((await tongbanMigrate({ dataDir }, '--backwards')).code, 2);
});

test('X13 a store that newer code has made is refused by the command, and left as it is', async (t) => {
  const dataDir = temporaryFolder(t);
  const file = join(dataDir, 'tongban.db');
  const future = { id: 9_000, name: 'from-the-future', statements: () => [] };
  await made(openSqlite({ file }), [...MIGRATIONS, future]);
  for (const args of [[], ['--dry-run']]) {
    const answer = await tongbanMigrate({ dataDir }, ...args);
    t.is(answer.code, 1);
    t.regex(answer.err, /9000 \(from-the-future\), which this version does not know. Start the newer version/);
  }
});

test('X13 a start with database.migrateAtStart of false refuses an older store with a sentence', async (t) => {
  const dataDir = temporaryFolder(t);
  await made(openSqlite({ file: join(dataDir, 'tongban.db') }), OLDER);
  const { openHouse } = await import('../src/app.ts');
  const prepared = prepareConfig({
    env: { TONGBAN_PROFILE: 'test', TONGBAN_DATABASE_MIGRATE_AT_START: 'false' },
    overrides: { dataDir },
  });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  await t.throwsAsync(openHouse(prepared.config), { message: /run "tongban migrate"/ });
});

postgresTest('X13 of several that migrate PostgreSQL at once each step is run by one', async (t) => {
  const url = await postgresSchema(t);
  await made(openPostgres({ url }), OLDER);
  const shown = await tongbanMigrate({ dataDir: temporaryFolder(t), url }, '--dry-run');
  t.is(shown.code, 0, shown.err);
  t.true(shown.out.includes(`-- ${NEWER.length} steps would run`));
  const ran = await Promise.all(Array.from({ length: 4 }, () => migrateStore({ url })));
  t.deepEqual(ran.flat().sort(), NEWER.map(({ name }) => name).sort());
  const database = await openDatabase({ url }, { mayMigrate: false });
  t.is((await journal(database)).length, MIGRATIONS.length);
  await database.close();
});

postgresTest('X13 a step that lasts longer than a statement may is not cut off', async (t) => {
  const database = await connectForLong({ url: await postgresSchema(t), statementTimeoutMs: 100 });
  t.teardown(() => database.close());
  const long = { id: 9_000, name: 'long', statements: () => ['SELECT pg_sleep(1.3)'] };
  t.true((await migrate(database, { migrations: [...MIGRATIONS, long] })).includes('long'));
});

postgresTest('X13 a step that must wait for a table gives way to those who use it, and comes again', async (t) => {
  const url = await postgresSchema(t);
  const database = await openDatabase({ url, poolMax: 5 });
  const migrating = await connectForLong({ url });
  t.teardown(() => Promise.all([database.close(), migrating.close()]));
  const widened = {
    id: 9_000,
    name: 'widened',
    statements: () => ['ALTER TABLE settings ADD COLUMN note TEXT'],
  };
  let running: Promise<readonly string[]> | undefined;
  await database.write(async (tx) => {
    await tx.all('SELECT name FROM settings', []);
    running = migrate(migrating, { migrations: [...MIGRATIONS, widened] });
    const waits = `SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
      AND relation = 'settings'::regclass`;
    while ((await tx.get(waits, [])) === undefined);
    // Behind the step that waits, which itself waits for us: only its giving way lets this through.
    await database.all('SELECT name FROM settings', []);
  });
  t.deepEqual(await running, ['widened']);
});
