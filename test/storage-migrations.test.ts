import { join } from 'node:path';
import test from 'ava';
import { Fault } from '../src/shared/fault.ts';
import { migrate } from '../src/storage/migrate.ts';
import { openDatabase } from '../src/storage/open.ts';
import { postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';

test('a second start changes nothing', async (t) => {
  const database = await sqliteDatabase(t);
  t.deepEqual(await migrate(database), []);
});

postgresTest('a second start changes nothing (postgres)', async (t) => {
  const database = await postgresDatabase(t);
  t.deepEqual(await migrate(database), []);
});

test('a migration that fails leaves the schema as it was', async (t) => {
  const database = await sqliteDatabase(t);
  const applied = await database.all<{ id: number; name: string }>('SELECT id, name FROM migrations', []);
  const standing = applied.map(({ id, name }) => ({ id, name, statements: () => [] }));
  const broken = {
    id: 900,
    name: 'broken',
    statements: () => ['CREATE TABLE extra (id TEXT)', 'CREATE TABLE extra (id TEXT)'],
  };
  await t.throwsAsync(migrate(database, { migrations: [...standing, broken] }));
  t.deepEqual(await database.all(`SELECT name FROM sqlite_master WHERE name = $1`, ['extra']), []);
  const mended = { ...broken, statements: () => ['CREATE TABLE extra (id TEXT)'] };
  t.deepEqual(await migrate(database, { migrations: [...standing, mended] }), ['broken']);
});

test('a database made by newer code refuses to start and says what to do', async (t) => {
  const file = join(temporaryFolder(t), 'tongban.sqlite');
  const database = await openDatabase({ file });
  await database.run('INSERT INTO migrations (id, name, applied_at) VALUES ($1, $2, 1)', [999, 'from-the-future']);
  await database.close();
  const error = await t.throwsAsync(openDatabase({ file }), { instanceOf: Fault });
  t.is((error as Fault).code, 'storage_unavailable');
  t.regex((error as Fault).message, /999 \(from-the-future\).*newer version/);
});
