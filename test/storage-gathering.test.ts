import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';

const INSERT = 'INSERT INTO settings (name, value) VALUES ($1, $2)';
const VALUE = "SELECT value FROM settings WHERE name = 'x'";

const put = (database: Database, name: string): Promise<number> => database.run(INSERT, [name, 'v']);
const commitCount = (database: Database): number =>
  database.load().groupSizes?.counts.reduce((all, count) => all + count) ?? 0;

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await turn();
}

/** A store, and somebody else who writes into the same file. */
async function twoOnOneFile(
  t: ExecutionContext,
): Promise<{ readonly database: Database; readonly other: DatabaseSync }> {
  const file = join(temporaryFolder(t), 'tongban.sqlite');
  const database = await openDatabase({ file });
  const other = new DatabaseSync(file);
  t.teardown(() => database.close());
  t.teardown(() => other.close());
  return { database, other };
}

test('a write that comes some turns after another shares its COMMIT where writes have had company, and where each came alone it has its own', async (t) => {
  const database = await sqliteDatabase(t);
  const apart = async (one: string, other: string): Promise<number> => {
    const before = commitCount(database);
    const first = put(database, one);
    await turns(3);
    await Promise.all([first, put(database, other)]);
    return commitCount(database) - before;
  };
  await put(database, 'alone');
  t.is(await apart('a', 'b'), 2);
  await Promise.all([put(database, 'together'), put(database, 'as well')]);
  t.is(await apart('c', 'd'), 1);
  await put(database, 'alone again');
  t.is(await apart('e', 'f'), 2);
});

test('one turn reads one state of the store, and the next what others have written since', async (t) => {
  const { database, other } = await twoOnOneFile(t);
  await database.run(INSERT, ['x', 'before']);
  await turn();
  t.like(await database.get(VALUE, []), { value: 'before' });
  other.exec("UPDATE settings SET value = 'after' WHERE name = 'x'");
  t.like(await database.get(VALUE, []), { value: 'before' }, 'in the same turn');
  await turn();
  t.like(await database.get(VALUE, []), { value: 'after' });
});

test('L8 whoever has read in this turn finds what was committed meanwhile by their own process', async (t) => {
  const database = await sqliteDatabase(t);
  for (const value of ['first', 'second']) {
    await database.get(VALUE, []);
    await database.run(
      'INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2',
      ['x', value],
    );
    t.like(await database.get(VALUE, []), { value });
  }
});

test('X5 a write that waits for another process is not kept from its turn by those who read meanwhile', async (t) => {
  const { database, other } = await twoOnOneFile(t);
  other.exec('BEGIN IMMEDIATE');
  const write = put(database, 'x');
  let isWritten = false;
  const written = write.then(() => {
    isWritten = true;
  });
  for (let n = 0; !isWritten && n < 2000; n += 1) {
    await database.get(VALUE, []);
    if (n === 20) other.exec('COMMIT');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await written;
  t.is(await write, 1);
  t.like(await database.get(VALUE, []), { value: 'v' });
});

test('X5 a write without the disk follows a look-up of the same turn and leaves what comes after it durable', async (t) => {
  const database = await sqliteDatabase(t);
  const waits = (durable: boolean): Promise<number> =>
    database.write(async (tx) => (await tx.get<{ synchronous: number }>('PRAGMA synchronous', []))!.synchronous, {
      durable,
    });
  for (const durable of [false, true]) {
    const waiting = waits(durable);
    await database.get(VALUE, []);
    t.is(await waiting, durable ? 2 : 1);
  }
});

test('a store that was read in this turn closes, and its log is copied back', async (t) => {
  const file = join(temporaryFolder(t), 'tongban.sqlite');
  const database = await openDatabase({ file });
  await put(database, 'x');
  const read = database.get(VALUE, []);
  await database.close();
  t.like(await read, { value: 'v' });
  t.false(existsSync(`${file}-wal`));
});

test('X5 L8 a group that a full disk undid stays undone though others read meanwhile, and nobody of it is told otherwise', async (t) => {
  const database = await sqliteDatabase(t);
  // Without index or trigger: of such a table SQLite undoes the transaction and not the statement.
  await database.run('CREATE TABLE marks (mark TEXT NOT NULL) STRICT', []);
  const page = await database.write((tx) => tx.get<{ page_count: number }>('PRAGMA page_count', []));
  await database.write((tx) => tx.get(`PRAGMA max_page_count = ${page!.page_count + 2}`, []));
  let reads: Promise<void> | undefined;
  /** Look-ups between all steps of the group, as other requests make them. */
  const readOn = async (): Promise<void> => {
    for (let n = 0; n < 300; n += 1) await database.get(VALUE, []);
  };
  const mark = (text: string): Promise<number> =>
    database.write((tx) => {
      reads ??= readOn();
      // One that makes nothing of its own failure.
      return tx.run('INSERT INTO marks (mark) VALUES ($1)', [text]).catch(() => 0);
    });
  const outcomes = await Promise.allSettled([mark('small'), mark('large'.repeat(40_000)), mark('late')]);
  await reads;
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  );
  t.deepEqual(await database.all('SELECT mark FROM marks', []), []);
});
