import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { Fault } from '../src/shared/fault.ts';
import { migrate } from '../src/storage/migrate.ts';
import { openDatabase } from '../src/storage/open.ts';
import { openSqlite } from '../src/storage/sqlite.ts';
import { postgresSchema, postgresTest, sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';

const OPEN_MODULE = pathToFileURL(join(import.meta.dirname, '../src/storage/open.ts')).href;

/** Another process of ours that opens the database and then runs `body` with it. */
const child = (location: object, body: string) =>
  spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { openDatabase } from ${JSON.stringify(OPEN_MODULE)};
       const database = await openDatabase(${JSON.stringify(location)});
       ${body}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );

const WRITE_FOREVER = `
  let number = 0;
  for (;;) {
    const names = Array.from({ length: 5 }, () => 'row-' + (number += 1));
    await Promise.all(names.map((name) => database.write((tx) =>
      tx.run('INSERT INTO settings (name, value) VALUES ($1, $2)', [name, 'v']))));
    process.stdout.write(names.join('\\n') + '\\n');
  }`;

test('X4 L8 every acknowledged write is there after kill -9', async (t) => {
  const file = join(temporaryFolder(t), 'tongban.sqlite');
  const writer = child({ file }, WRITE_FOREVER);
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: writer.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === 300) writer.kill('SIGKILL');
  }
  const database = await openDatabase({ file });
  t.teardown(() => database.close());
  const rows = await database.all<{ name: string }>('SELECT name FROM settings', []);
  const stored = new Set(rows.map((row) => row.name));
  t.true(acknowledged.length >= 300);
  t.deepEqual(
    acknowledged.filter((name) => !stored.has(name)),
    [],
  );
  const check = await database.get<{ integrity_check: string }>('PRAGMA integrity_check', []);
  t.is(check?.integrity_check, 'ok');
});

test('the file and its folder belong to the server alone', async (t) => {
  const folder = join(temporaryFolder(t), 'var');
  const database = await openSqlite({ file: join(folder, 'tongban.sqlite') });
  t.teardown(() => database.close());
  t.is(statSync(folder).mode & 0o777, 0o700);
  for (const suffix of ['', '-wal', '-shm']) {
    t.is(statSync(join(folder, `tongban.sqlite${suffix}`)).mode & 0o777, 0o600);
  }
});

test('X4 the writer keeps what it acknowledged: WAL, FULL, foreign keys', async (t) => {
  const database = await sqliteDatabase(t);
  const pragmas = await database.write(async (tx) => ({
    ...(await tx.get<object>('PRAGMA journal_mode', [])),
    ...(await tx.get<object>('PRAGMA synchronous', [])),
    ...(await tx.get<object>('PRAGMA foreign_keys', [])),
  }));
  t.deepEqual(pragmas, { journal_mode: 'wal', synchronous: 2, foreign_keys: 1 });
});

test('writes that arrive together share one commit', async (t) => {
  const file = join(temporaryFolder(t), 'tongban.sqlite');
  const database = await openDatabase({ file });
  const watcher = new DatabaseSync(file, { readOnly: true });
  t.teardown(() => database.close());
  t.teardown(() => watcher.close());
  const count = watcher.prepare('SELECT count(*) AS rows FROM settings');
  const seen = new Set<unknown>();
  await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      await database.write((tx) => tx.run('INSERT INTO settings (name, value) VALUES ($1, $2)', [`n${index}`, 'v']));
      seen.add(count.get()?.rows);
    }),
  );
  t.deepEqual([...seen], [50]);
});

test('X4 only where nobody of a group waits for the disk does its commit not, and a failure changes nothing for those that follow', async (t) => {
  const database = await sqliteDatabase(t);
  /** Whether the disk is waited for by the COMMIT of this write: 2 is FULL, 1 is NORMAL. */
  const waits = (durable: boolean): Promise<number> =>
    database.write(async (tx) => (await tx.get<{ synchronous: number }>('PRAGMA synchronous', []))!.synchronous, {
      durable,
    });
  const passing = { durable: false };
  t.deepEqual(await Promise.all([waits(false), waits(false)]), [1, 1]);
  t.deepEqual(await Promise.all([waits(false), waits(true)]), [2, 2]);
  await t.throwsAsync(
    database.write(async () => Promise.reject(new Error('undone')), passing),
    { message: 'undone' },
  );
  t.is(await waits(true), 2);
});

test('R1 whoever loses to a neighbour of the same commit finds what the neighbour wrote', async (t) => {
  const database = await sqliteDatabase(t);
  const put = (name: string, value: string): Promise<unknown> =>
    database.write((tx) => tx.run('INSERT INTO settings (name, value) VALUES ($1, $2)', [name, value]));
  const winner = put('lock', 'winner');
  const seenByLoser = put('lock', 'loser').catch(() =>
    database.get<{ value: string }>("SELECT value FROM settings WHERE name = 'lock'", []),
  );
  // They keep the group open for much longer than a loser takes to look.
  const neighbours = Array.from({ length: 20 }, (_, n) => put(`name-${n}`, 'v'));
  t.like(await seenByLoser, { value: 'winner' });
  await Promise.all([winner, ...neighbours]);
});

test('L8 when one of a group throws, the others are written once all the same, and each hears of its own', async (t) => {
  const database = await sqliteDatabase(t);
  await database.run("INSERT INTO settings (name, value) VALUES ('sum', '0')", []);
  const add = (amount: number, isSound = true): Promise<number> =>
    database.write(async (tx) => {
      await tx.run("UPDATE settings SET value = value + $1 WHERE name = 'sum'", [amount]);
      if (!isSound) throw new Error(`${amount} is too much`);
      return amount;
    });
  const outcomes = await Promise.allSettled([add(1), add(2), add(64, false), add(4), add(128, false), add(8)]);
  t.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.message)),
    [1, 2, '64 is too much', 4, '128 is too much', 8],
  );
  t.like(await database.get("SELECT value + 0 AS sum FROM settings WHERE name = 'sum'", []), { sum: 15 });
  t.is(
    database.load().groupSizes?.counts.reduce((all, count) => all + count),
    2,
    'one commit for all of them',
  );
});

test('X5 while another process holds the lock the event loop goes on, and the write follows', async (t) => {
  const file = join(temporaryFolder(t), 'tongban.sqlite');
  const database = await openDatabase({ file });
  const other = new DatabaseSync(file);
  t.teardown(() => database.close());
  t.teardown(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const write = database.run('INSERT INTO settings (name, value) VALUES ($1, $2)', ['patient', 'v']);
  await new Promise((resolve) => setTimeout(resolve, 60));
  t.is(await database.get('SELECT name FROM settings', []), undefined);
  other.exec('COMMIT');
  t.is(await write, 1);
});

test('X5 a full store refuses with the storage fault and works again once there is room', async (t) => {
  const database = await sqliteDatabase(t);
  const page = await database.write((tx) => tx.get<{ page_count: number }>('PRAGMA page_count', []));
  const limit = (pages: number) => database.write((tx) => tx.get(`PRAGMA max_page_count = ${pages}`, []));
  await limit(page!.page_count);
  const big = () =>
    database.write((tx) => tx.run('INSERT INTO settings (name, value) VALUES ($1, $2)', ['big', 'x'.repeat(100_000)]));
  const outcomes = await Promise.allSettled([big(), big()]);
  for (const outcome of outcomes) {
    t.true(outcome.status === 'rejected' && outcome.reason instanceof Fault);
    t.is(outcome.status === 'rejected' && (outcome.reason as Fault).code, 'storage_unavailable');
  }
  await limit(1_000_000);
  t.is(await big(), 1);
});

test('a folder that cannot be written is the storage fault', async (t) => {
  const error = await t.throwsAsync(openSqlite({ file: '/dev/null/var/tongban.sqlite' }), { instanceOf: Fault });
  t.is((error as Fault).code, 'storage_unavailable');
});

test('ten thousand waiting writes are the limit; the next is refused at once', async (t) => {
  const database = await sqliteDatabase(t);
  const waiting = Array.from({ length: 10_000 }, () => database.write(async () => 1));
  const error = await t.throwsAsync(
    database.write(async () => 1),
    { instanceOf: Fault },
  );
  t.is((error as Fault).code, 'overloaded');
  t.is((await Promise.all(waiting)).length, 10_000);
});

test('one node starts on a fresh file, two at once: the schema is made once (sqlite)', async (t) => {
  await startTwice(t, { file: join(temporaryFolder(t), 'tongban.sqlite') });
});

postgresTest('one node starts on a fresh schema, two at once: the schema is made once (postgres)', async (t) => {
  await startTwice(t, { url: await postgresSchema(t) });
});

async function migrateAgain(location: { file: string } | { url: string }): Promise<readonly string[]> {
  const database = await openDatabase(location);
  const ran = await migrate(database);
  await database.close();
  return ran;
}

async function startTwice(t: ExecutionContext, location: { file: string } | { url: string }): Promise<void> {
  const starts = [1, 2].map(() => child(location, 'await database.close();'));
  const exits = await Promise.all(starts.map((process) => once(process, 'exit')));
  t.deepEqual(
    exits.map(([code]) => code),
    [0, 0],
  );
  const database = await openDatabase(location);
  const applied = await database.all<{ id: number; name: string }>('SELECT id, name FROM migrations', []);
  await database.close();
  t.is(applied[0]?.name, 'foundation');
  t.is(new Set(applied.map(({ id }) => id)).size, applied.length, 'each step ran once');
  t.deepEqual(await migrateAgain(location), [], 'and none is left');
}
