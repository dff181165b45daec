import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { verifyNote } from '../src/ledger/checkpoints/checkpoint.ts';
import { checkAtStart } from '../src/ledger/sequencing/start-check.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { Fault } from '../src/shared/fault.ts';
import type { Database, SqlValue } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { embeddedTest, postgresSchema, postgresTest, sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { entryText, insertEntries, TEST_ORIGIN } from './support/sequencer-entries.ts';
import { naiveRoot, storedEntries, storedLeaves, testSequencer, testVerifier } from './support/sequencer-tree.ts';

const CRASHES = 10;
const ROOT = new URL('../', import.meta.url);
const check = (database: Database) => checkAtStart(database, testVerifier, TEST_ORIGIN);

/** 700 entries under two checkpoints, the sequencer gone. */
async function closedLedger(t: ExecutionContext): Promise<Database> {
  const database = await sqliteDatabase(t);
  const sequencer = testSequencer(t, { database });
  await insertEntries(database, 520, 'first');
  await sequencer.settle();
  await insertEntries(database, 180, 'second');
  await sequencer.stop();
  return database;
}

async function bytesOf(database: Database, level: number, position: number): Promise<Buffer> {
  const row = await database.get<{ hashes: Uint8Array }>(
    'SELECT hashes FROM ledger_tiles WHERE level = $1 AND position = $2',
    [level, position],
  );
  return Buffer.from(row!.hashes);
}

const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
};

type Tamper = (database: Database) => Promise<unknown>;
const sql =
  (text: string, ...params: SqlValue[]): Tamper =>
  (database) =>
    database.run(text, params);
const editTile =
  (level: number, position: number, change: (bytes: Buffer) => Buffer): Tamper =>
  async (database) =>
    database.run('UPDATE ledger_tiles SET hashes = $1 WHERE level = $2 AND position = $3', [
      change(await bytesOf(database, level, position)),
      level,
      position,
    ]);

const TAMPERED: Readonly<Record<string, readonly [Tamper, RegExp]>> = {
  'the last entry edited': [sql('UPDATE ledger_entries SET entry = $1 WHERE seq = 699', entryText('forged')), /root/],
  'the last entry deleted': [sql('DELETE FROM ledger_entries WHERE seq = 699'), /covers 700 entries/],
  'an entry of the edge deleted': [
    sql('DELETE FROM ledger_entries WHERE seq = 600'),
    /Entry 600 of the ledger is missing/,
  ],
  'a tail cut off with its tiles': [
    async (database) => {
      await database.run('DELETE FROM ledger_entries WHERE seq >= $1', [512]);
      await database.run('DELETE FROM ledger_tiles WHERE level = 0 AND position = $1', [2]);
      await database.run('UPDATE ledger_tree SET size = $1', [512]);
    },
    /covers 700 entries/,
  ],
  'two entries swapped': [
    async (database) => {
      await database.run('UPDATE ledger_entries SET seq = 5000 WHERE seq = $1', [650]);
      await database.run('UPDATE ledger_entries SET seq = 650 WHERE seq = $1', [651]);
      await database.run('UPDATE ledger_entries SET seq = 651 WHERE seq = $1', [5000]);
    },
    /root/,
  ],
  'a hash of the last tile edited': [editTile(0, 2, (bytes) => flipped(bytes, 40)), /Tile 0\/2/],
  'a hash of an upper tile edited': [editTile(1, 0, (bytes) => flipped(bytes, 3)), /root/],
  'the last tile cut short': [editTile(0, 2, (bytes) => bytes.subarray(32)), /does not end/],
  'the last tile grown': [editTile(0, 2, (bytes) => Buffer.concat([bytes, bytes.subarray(0, 32)])), /does not end/],
  'the last tile deleted': [sql('DELETE FROM ledger_tiles WHERE level = 0 AND position = 2'), /does not end/],
  'an upper tile deleted': [sql('DELETE FROM ledger_tiles WHERE level = 1'), /tiles up to level 0/],
  'a tile put beyond the end': [sql("INSERT INTO ledger_tiles VALUES (0, 3, x'00')"), /does not end/],
  'the size of the tree lowered': [sql('UPDATE ledger_tree SET size = 600'), /The tree has 600 entries/],
  'the size of the tree raised': [sql('UPDATE ledger_tree SET size = 701'), /The tree has 701 entries/],
  'the row of the tree deleted': [sql('DELETE FROM ledger_tree'), /row of the ledger tree/],
  'a signature edited': [
    async (database) => {
      const { note } = (await database.get<{ note: string }>(
        'SELECT note FROM ledger_checkpoints WHERE size = $1',
        [700],
      ))!;
      const at = note.lastIndexOf(' ') + 20;
      await database.run('UPDATE ledger_checkpoints SET note = $1 WHERE size = 700', [
        note.slice(0, at) + (note[at] === 'A' ? 'B' : 'A') + note.slice(at + 1),
      ]);
    },
    /signature/,
  ],
  'an older checkpoint put in the place of the newest': [
    sql('UPDATE ledger_checkpoints SET note = (SELECT note FROM ledger_checkpoints WHERE size = 520) WHERE size = 700'),
    /was signed for size 520/,
  ],
};

for (const [what, [tamper, reason]] of Object.entries(TAMPERED)) {
  embeddedTest(`L10 the server refuses to start, and nothing more is signed: ${what}`, async (t) => {
    const database = await closedLedger(t);
    t.deepEqual(await check(database), { ok: true, size: 700, signedSize: 700 });
    await tamper(database);
    const outcome = await check(database);
    t.false(outcome.ok);
    if (!outcome.ok) t.regex(outcome.reason, reason);
    const faults: unknown[] = [];
    const sequencer = testSequencer(t, { database, onFault: (error) => faults.push(error) });
    await insertEntries(database, 3, 'after');
    await t.throwsAsync(sequencer.settle(), { instanceOf: Fault, code: 'ledger_mismatch' });
    await delay(50);
    t.is(faults.length, 1, 'the alarm is given once');
    const { size } = (await database.get<{ size: number }>('SELECT max(size) AS size FROM ledger_checkpoints', []))!;
    t.is(size, 700);
  });
}

embeddedTest('L10 the checkpoints of a long ledger cannot all be thrown away', async (t) => {
  const database = await sqliteDatabase(t);
  const sequencer = testSequencer(t, { database });
  await insertEntries(database, 5000, 'long');
  await sequencer.stop();
  await database.run('DELETE FROM ledger_checkpoints', []);
  t.false((await check(database)).ok);
});

embeddedTest('L10 another key and another ledger are told apart from this one', async (t) => {
  const database = await closedLedger(t);
  const other = await checkAtStart(database, testVerifier, 'other.example/audit');
  t.false(other.ok);
  if (!other.ok) t.regex(other.reason, /of another ledger, "tongban.example\/audit"/);
  const unsigned = await checkAtStart(database, { ...testVerifier, verify: () => false }, TEST_ORIGIN);
  t.false(unsigned.ok);
});

embeddedTest('L10 entries past the checkpoint are no finding, and are signed next', async (t) => {
  const database = await closedLedger(t);
  await insertEntries(database, 30, 'past');
  t.deepEqual(await check(database), { ok: true, size: 700, signedSize: 700 });
  await testSequencer(t, { database }).settle();
  t.deepEqual(await check(database), { ok: true, size: 730, signedSize: 730 });
});

embeddedTest('L10 an empty ledger may start', async (t) => {
  t.deepEqual(await check(await sqliteDatabase(t)), { ok: true, size: 0, signedSize: 0 });
});

embeddedTest('L10 a sequencer at work stops signing when the tree changes under its feet', async (t) => {
  const database = await sqliteDatabase(t);
  const faults: unknown[] = [];
  const sequencer = testSequencer(t, { database, leaseMs: 60_000, onFault: (error) => faults.push(error) });
  await insertEntries(database, 20, 'before');
  await sequencer.settle();
  await database.run('DELETE FROM ledger_entries WHERE seq >= $1', [10]);
  await database.run('UPDATE ledger_tree SET size = $1', [10]);
  await insertEntries(database, 20, 'after');
  await t.throwsAsync(sequencer.settle(), { instanceOf: Fault, code: 'ledger_mismatch' });
  t.is(faults.length, 1);
});

/** A second node starts again and again while the first one is at work. */
async function startsBeside(t: ExecutionContext, working: Database, starting: Database): Promise<void> {
  const sequencer = testSequencer(t, { database: working, intervalMs: 4, leaseMs: 10_000 });
  let writing = true;
  const writer = (async () => {
    for (let turn = 0; writing; turn += 1) await insertEntries(working, 40, `turn${turn}`);
  })();
  const sizes = new Set<number>();
  const deadlineMs = monotonicMs() + 30_000;
  while (sizes.size < 12 && monotonicMs() < deadlineMs) {
    const outcome = await check(starting);
    t.true(outcome.ok, outcome.ok ? '' : outcome.reason);
    if (outcome.ok) sizes.add(outcome.size);
    await delay(2);
  }
  writing = false;
  await writer;
  await sequencer.settle();
  t.is(sizes.size, 12, 'the ledger grew meanwhile');
}

embeddedTest.serial('L10 a process that starts beside one at work finds nothing wrong (SQLite)', async (t) => {
  const file = `${temporaryFolder(t)}/tongban.sqlite`;
  const handles = [await openDatabase({ file }), await openDatabase({ file })] as const;
  for (const handle of handles) t.teardown(() => handle.close());
  await startsBeside(t, ...handles);
});

postgresTest.serial('L10 a node that starts beside one at work finds nothing wrong (PostgreSQL)', async (t) => {
  const url = await postgresSchema(t);
  const handles = [await openDatabase({ url, poolMax: 5 }), await openDatabase({ url, poolMax: 5 })] as const;
  for (const handle of handles) t.teardown(() => handle.close());
  await startsBeside(t, ...handles);
});

/** Runs the child until it is killed, after `afterMs` of work; resolves with the marks it has acknowledged and the sizes it signed. */
async function killedAfter(
  place: string,
  mark: string,
  afterMs: number,
): Promise<{ acks: string[]; signed: number[] }> {
  const child: ChildProcess = spawn(process.execPath, ['test/support/sequencer-child.ts', place, mark], { cwd: ROOT });
  let [said, wrong] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    wrong += text;
  });
  const closed = once(child, 'close');
  while (!said.includes('signed ') && child.exitCode === null) await delay(5);
  await delay(afterMs);
  child.kill('SIGKILL');
  await closed;
  if (wrong !== '') throw new Error(wrong);
  // The last line may have been cut short.
  const lines = said.slice(0, said.lastIndexOf('\n')).split('\n');
  const after = (word: string): string[] =>
    lines.filter((line) => line.startsWith(word)).map((line) => line.split(' ')[1]!);
  return { acks: after('ack '), signed: after('signed ').map(Number) };
}

async function surviveKills(t: ExecutionContext, place: string, database: Database): Promise<void> {
  const acknowledged: string[] = [];
  const checkMs: number[] = [];
  for (let crash = 1; crash <= CRASHES; crash += 1) {
    const { acks, signed } = await killedAfter(place, `run${crash}`, 20 + 13 * crash);
    acknowledged.push(...acks);
    const startedMs = monotonicMs();
    const outcome = await check(database);
    checkMs.push(Math.round(monotonicMs() - startedMs));
    t.true(outcome.ok, outcome.ok ? '' : outcome.reason);
    t.true(outcome.ok && outcome.signedSize >= signed.at(-1)!, 'a checkpoint that was told of is lost');
  }
  await testSequencer(t, { database }).settle();
  const rows = await storedEntries(database);
  const kept = rows.map(({ entry }) => JSON.parse(entry).corr as string);
  t.is(new Set(kept).size, kept.length, 'an entry is there twice');
  const missing = new Set(acknowledged).difference(new Set(kept));
  t.deepEqual([...missing], []);
  const leaves = await storedLeaves(t, database);
  const notes = await database.all<{ note: string }>('SELECT note FROM ledger_checkpoints ORDER BY size', []);
  // Each is as many hashes as it has entries, so of the many one in ten and the newest.
  for (const { note } of notes.filter((_, at) => at % 10 === 0 || at === notes.length - 1)) {
    const checkpoint = verifyNote(note, { ...testVerifier, name: TEST_ORIGIN });
    t.deepEqual(checkpoint?.root, naiveRoot(leaves.slice(0, checkpoint?.size)));
  }
  t.log(
    `${acknowledged.length} entries acknowledged, ${kept.length} kept; checked at start in ${checkMs.join(', ')} ms`,
  );
}

embeddedTest.serial(
  'L8 L10 L17 killed ten times in the middle of its steps, the ledger starts whole with all it has acknowledged (SQLite)',
  async (t) => {
    const file = `${temporaryFolder(t)}/tongban.sqlite`;
    const database = await openDatabase({ file });
    t.teardown(() => database.close());
    await surviveKills(t, file, database);
  },
);

postgresTest.serial(
  'L8 L10 L17 killed ten times in the middle of its steps, the ledger starts whole with all it has acknowledged (PostgreSQL)',
  async (t) => {
    const url = await postgresSchema(t);
    const database = await openDatabase({ url, poolMax: 4 });
    t.teardown(() => database.close());
    await surviveKills(t, url, database);
  },
);
