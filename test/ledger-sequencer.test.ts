import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { type Checkpoint, verifyNote } from '../src/ledger/checkpoints/checkpoint.ts';
import { expendable, storeCheckpoint } from '../src/ledger/checkpoints/checkpoint-store.ts';
import { subjectOf } from '../src/ledger/sequencing/entry-index.ts';
import type { SignedCheckpoint } from '../src/ledger/sequencing/sequencer.ts';
import { turnClock } from '../src/shared/clock.ts';
import { Fault } from '../src/shared/fault.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { embeddedTest, postgresSchema, postgresTest, sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { entryText, insertEntries, insertEntry, TEST_ORIGIN } from './support/sequencer-entries.ts';
import {
  naiveRoot,
  storedEntries,
  storedLeaves,
  testSequencer,
  testSigner,
  testVerifier,
} from './support/sequencer-tree.ts';
import { until } from './support/waiting.ts';

/** Two handles on one store, as two processes have them. */
async function twoHandles(t: ExecutionContext, engine: 'sqlite' | 'postgres'): Promise<readonly [Database, Database]> {
  const place =
    engine === 'sqlite'
      ? { file: `${temporaryFolder(t)}/tongban.sqlite` }
      : { url: await postgresSchema(t), poolMax: 6 };
  const handles = [await openDatabase(place), await openDatabase(place)] as const;
  for (const handle of handles) t.teardown(() => handle.close());
  return handles;
}

const ENGINES = [
  { name: 'SQLite', engine: 'sqlite', engineTest: embeddedTest },
  { name: 'PostgreSQL', engine: 'postgres', engineTest: postgresTest },
] as const;

const notes = (database: Database): Promise<{ size: number; at_ms: number; note: string }[]> =>
  database.all('SELECT size, at_ms, note FROM ledger_checkpoints WHERE size > $1 ORDER BY size', [0]);

/** Every note must bear the signature and the root of the entries it covers. */
async function assertSigned(t: ExecutionContext, database: Database, signed: readonly string[]): Promise<void> {
  const leaves = await storedLeaves(t, database);
  for (const note of signed) {
    const checkpoint = verifyNote(note, { ...testVerifier, name: TEST_ORIGIN }) as Checkpoint;
    t.truthy(checkpoint, note);
    t.deepEqual(checkpoint.root, naiveRoot(leaves.slice(0, checkpoint.size)), `size ${checkpoint.size}`);
  }
}

for (const { name, engine, engineTest } of ENGINES) {
  engineTest(
    `L9 what many write at once gets numbers without gaps, and a checkpoint covers it (${name})`,
    async (t) => {
      const [database] = await twoHandles(t, engine);
      const sequencer = testSequencer(t, { database });
      const acknowledged: string[] = [];
      const lane = async (at: number): Promise<void> => {
        for (let turn = 0; turn < 40; turn += 1) {
          const corr = `${at}-${turn}`;
          const undone = turn % 7 === 3;
          const write = database.write(async (tx) => {
            await insertEntry(tx, database.engine, entryText(corr));
            if (undone) throw new Error('undone');
          });
          if (undone) await t.throwsAsync(write, { message: 'undone' });
          else {
            await write;
            acknowledged.push(corr);
          }
        }
      };
      await Promise.all(Array.from({ length: 8 }, (_, at) => lane(at)));
      await sequencer.settle();
      const rows = await storedEntries(database);
      t.deepEqual(rows.map(({ entry }) => JSON.parse(entry).corr).sort(), acknowledged.sort());
      const stored = await notes(database);
      t.is(stored.at(-1)?.size, acknowledged.length);
      await assertSigned(
        t,
        database,
        stored.map(({ note }) => note),
      );
      t.deepEqual(sequencer.lag(), { unsignedCount: 0, oldestUnsignedMs: 0 });
    },
  );

  engineTest(`L9 a store set back to a moment is given no checkpoint of what it has lost (${name})`, async (t) => {
    const [database, beside] = await twoHandles(t, engine);
    const faults: unknown[] = [];
    const onFault = (error: unknown): unknown => faults.push(error);
    const sequencer = testSequencer(t, { database, intervalMs: 12_000, onFault });
    await insertEntries(database, 3, 'kept');
    await sequencer.settle();
    await insertEntries(database, 2, 'lost');
    const sizeOf = async (): Promise<number | undefined> =>
      (await beside.get<{ size: number }>('SELECT size FROM ledger_tree WHERE id = $1', [1]))?.size;
    t.true(await until(async () => (await sizeOf()) === 5));
    t.is((await notes(beside)).at(-1)?.size, 3, 'hashed, and not signed yet');
    await beside.write(async (tx) => {
      await tx.run('DELETE FROM ledger_entries WHERE seq >= $1', [3]);
      await tx.run('UPDATE ledger_tree SET size = $1 WHERE id = 1', [3]);
    });
    await sequencer.stop();
    t.deepEqual(
      (await notes(beside)).map(({ size }) => size),
      [3],
    );
    t.is((faults.at(-1) as Fault | undefined)?.code, 'ledger_mismatch');
  });

  engineTest.serial(`L9 L17 two sequencers that take office from one another sign one tree (${name})`, async (t) => {
    const handles = await twoHandles(t, engine);
    const signed: [SignedCheckpoint[], SignedCheckpoint[]] = [[], []];
    const sequencers = handles.map((database, at) =>
      testSequencer(t, { database, leaseMs: 3_000, intervalMs: 8, onCheckpoint: (one) => signed[at]?.push(one) }),
    );
    const deadline = Date.now() + 40_000;
    const takeOvers = async (): Promise<number> =>
      (await handles[0].get<{ fence: number }>('SELECT fence FROM ledger_tree WHERE id = $1', [1]))?.fence ?? 0;
    for (let turn = 0; (await takeOvers()) < 8 || signed.some((some) => some.length < 5); turn += 1) {
      if (Date.now() > deadline) break;
      await insertEntries(handles[turn % 2]!, 7, `${turn}`);
      // The lease ends under the feet of the one in office, who goes on until the fence stops it.
      if (turn % 4 === 0) await handles[0].run('UPDATE ledger_tree SET lease_until_ms = 0 WHERE id = $1', [1]);
      await delay(5);
    }
    await Promise.all(sequencers.map((sequencer) => sequencer.settle()));
    t.true(signed[0].length >= 5 && signed[1].length >= 5, `${signed[0].length} and ${signed[1].length} checkpoints`);
    t.true((await takeOvers()) >= 8, 'office changes hands');
    await assertSigned(
      t,
      handles[0],
      signed.flat().map(({ note }) => note),
    );
  });

  engineTest.serial(`L9 a sequencer that was away while another took over stores nothing more (${name})`, async (t) => {
    const [slow, quick] = await twoHandles(t, engine);
    const signer = testSigner(t);
    const held = Promise.withResolvers<void>();
    let asked = false;
    const late: SignedCheckpoint[] = [];
    testSequencer(t, {
      database: slow,
      leaseMs: 60,
      signer: {
        ...signer,
        sign: async (message) => {
          asked = true;
          await held.promise;
          return signer.sign(message);
        },
      },
      onCheckpoint: (one) => late.push(one),
    });
    await insertEntries(slow, 5, 'before');
    // Looks with a timer of its own: those of a sequencer keep no process alive, and a bare promise would end with the test file.
    t.true(await until(() => asked));
    const successor = testSequencer(t, { database: quick, leaseMs: 10_000 });
    await insertEntries(quick, 5, 'after');
    await successor.settle();
    const before = await notes(quick);
    held.resolve();
    await delay(150);
    t.deepEqual(await notes(quick), before);
    t.deepEqual(late, []);
    t.is(before.at(-1)?.size, 10);
  });

  engineTest.serial(`L9 a stand-by settles when the sequencer in office has signed (${name})`, async (t) => {
    const [office, beside] = await twoHandles(t, engine);
    const first = testSequencer(t, { database: office, leaseMs: 60_000 });
    await first.settle();
    const signedHere: SignedCheckpoint[] = [];
    const second = testSequencer(t, { database: beside, leaseMs: 60_000, onCheckpoint: (one) => signedHere.push(one) });
    await insertEntries(beside, 300, 'beside');
    await second.settle();
    t.is((await notes(beside)).at(-1)?.size, 300);
    t.deepEqual(signedHere, []);
    // Handing back lets the other one begin without waiting for the lease.
    await first.stop();
    await insertEntries(beside, 3, 'later');
    await second.settle();
    t.is(signedHere.at(-1)?.size, 303);
  });

  engineTest.serial(
    `L9 people and addresses are found by the index, whatever the entries quote (${name})`,
    async (t) => {
      const [database] = await twoHandles(t, engine);
      const sequencer = testSequencer(t, { database });
      const about = (subject: string | null, n: number): string => entryText(`"subject":"nobody" ${n}`, subject);
      await database.write(async (tx) => {
        for (let n = 0; n < 150; n += 1) {
          await insertEntry(
            tx,
            engine,
            about(n % 3 === 0 ? null : `person_${n % 3}`, n),
            n % 2 === 0 ? `address_${n % 4}` : null,
          );
        }
      });
      await sequencer.settle();
      const rows = await database.all<{ kind: string; key: string; seq: number; seqs: string | null }>(
        'SELECT kind, key, seq, seqs FROM ledger_index WHERE seq >= $1',
        [0],
      );
      const found = rows.flatMap(({ kind, key, seq, seqs }) =>
        (seqs ?? String(seq)).split(',').map((one) => `${kind} ${key} ${one}`),
      );
      const expected = (await storedEntries(database)).flatMap(({ seq, entry }) => {
        const n = Number(JSON.parse(entry).corr.split(' ')[1]);
        const subject = n % 3 === 0 ? [] : [`subject person_${n % 3} ${seq}`];
        return n % 2 === 0 ? [...subject, `address address_${n % 4} ${seq}`] : subject;
      });
      t.deepEqual(found.sort(), expected.sort());
    },
  );
}

embeddedTest('L9 a checkpoint is signed at the latest after the set number of entries', async (t) => {
  const database = await sqliteDatabase(t);
  await insertEntries(database, 2500, 'backlog');
  const sizes: number[] = [];
  const sequencer = testSequencer(t, { database, entriesMax: 600, onCheckpoint: ({ size }) => sizes.push(size) });
  await sequencer.settle();
  t.deepEqual(sizes, [600, 1200, 1800, 2400, 2500]);
});

embeddedTest('L9 while the signer is away entries are taken, and signed when it is back', async (t) => {
  const database = await sqliteDatabase(t);
  const signer = testSigner(t);
  const faults: unknown[] = [];
  let away = true;
  const sequencer = testSequencer(t, {
    database,
    entriesMax: 500,
    signer: {
      ...signer,
      sign: async (message) => {
        if (away) throw new Fault('internal', 'The signature server does not answer');
        return signer.sign(message);
      },
    },
    onFault: (error) => faults.push(error),
  });
  await insertEntries(database, 1200, 'waiting');
  await t.throwsAsync(sequencer.settle(), { message: 'The signature server does not answer' });
  await delay(60);
  const { size } = (await database.get<{ size: number }>('SELECT size FROM ledger_tree WHERE id = $1', [1]))!;
  t.is(size, 500, 'no more is hashed than a start has to check again');
  t.is(sequencer.lag().unsignedCount, 1200);
  t.true(sequencer.lag().oldestUnsignedMs > 0);
  t.true(faults.length > 0);
  away = false;
  await sequencer.settle();
  t.is((await notes(database)).at(-1)?.size, 1200);
});

embeddedTest('X7 stopping signs what is committed and hands the office back', async (t) => {
  const database = await sqliteDatabase(t);
  const sequencer = testSequencer(t, { database, intervalMs: 60_000, leaseMs: 60_000 });
  await sequencer.settle();
  await insertEntries(database, 40, 'last');
  await sequencer.stop();
  t.is((await notes(database)).at(-1)?.size, 40);
  await t.throwsAsync(sequencer.settle(), { instanceOf: Fault });
  const successor = testSequencer(t, { database, leaseMs: 60_000 });
  await insertEntries(database, 1, 'next');
  await successor.settle();
  t.is((await notes(database)).at(-1)?.size, 41);
});

embeddedTest.serial('X8 a clock that is set back moves no checkpoint back and keeps nobody from office', async (t) => {
  t.teardown(() => turnClock(0));
  const database = await sqliteDatabase(t);
  const early = testSequencer(t, { database, leaseMs: 150 });
  await insertEntries(database, 3, 'early');
  await early.settle();
  // Goes without handing back, as a process that was killed.
  await database.run('UPDATE ledger_tree SET holder = $1, fence = fence + 1, lease_until_ms = lease_until_ms + $2', [
    'gone',
    3_600_000,
  ]);
  turnClock(-120_000);
  const late = testSequencer(t, { database, leaseMs: 150 });
  await insertEntries(database, 3, 'late');
  await late.settle();
  const [first, second] = await notes(database);
  t.is(second?.size, 6);
  t.true((second?.at_ms ?? 0) >= (first?.at_ms ?? Number.POSITIVE_INFINITY));
});

embeddedTest(
  'L9 of old checkpoints the first of each hour is kept for a month, and the first of each day for ever',
  async (t) => {
    const [HOUR, DAY] = [3_600_000, 86_400_000];
    const database = await sqliteDatabase(t);
    const start = Date.UTC(2026, 0, 1, 0, 5);
    const all = Array.from({ length: 3200 }, (_, n) => ({ size: n + 1, at_ms: start + n * 20 * 60_000 }));
    await database.write(async (tx) => {
      for (const [n, mark] of all.entries()) await storeCheckpoint(tx, { ...mark, note: 'x' }, all[n - 1]?.at_ms ?? 0);
    });
    const last = all.at(-1)!.at_ms;
    const lastHour = Math.floor(last / HOUR) * HOUR;
    const isFirst = (n: number, unit: number): boolean =>
      n === 0 || Math.floor(all[n]!.at_ms / unit) !== Math.floor(all[n - 1]!.at_ms / unit);
    const due = all.filter(
      ({ at_ms: at }, n) => n >= 3140 || isFirst(n, DAY) || (isFirst(n, HOUR) && last - at < 30 * DAY),
    );
    const kept = (await notes(database)).map(({ size }) => size);
    // What has come of age since the last full hour goes with the next one.
    const beyond = kept.filter((size) => !due.some((mark) => mark.size === size));
    t.true(beyond.every((size) => lastHour - all[size - 1]!.at_ms <= 30 * DAY + HOUR));
    t.true(due.every(({ size }) => kept.includes(size)));
    t.true(kept.length < 60 + 30 * 24 + 45 + 2, `${kept.length} kept`);
    t.deepEqual(expendable([], last), []);
  },
);

embeddedTest('the subject is read from the text of an entry as a JSON parser would read it', (t) => {
  for (const subject of ['person_1', null, 'p']) {
    for (const corr of ['x', '"subject":"other"', '\\"subject":', '"', '\\']) {
      t.is(subjectOf(entryText(corr, subject)), subject ?? undefined);
    }
  }
  for (const odd of ['', '{}', '{"subject":', '{"subject":"', '{"subject":"a\\"b"}', '{"subject":7}']) {
    t.is(subjectOf(odd), undefined);
  }
  return Promise.resolve();
});
