import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { openHouse } from '../src/app.ts';
import { createBlindIndex } from '../src/crypto/blind-index.ts';
import { createSealer } from '../src/crypto/sealing.ts';
import { encodeVerifierKey, parseNote, parseVerifierKey, signNote } from '../src/ledger/checkpoints/checkpoint.ts';
import { createFailures } from '../src/ledger/flood.ts';
import { createLedger } from '../src/ledger/ledger.ts';
import { createOpenings } from '../src/ledger/openings.ts';
import { ExportFile } from '../src/ledger/verifying/export-file.ts';
import { liveSource } from '../src/ledger/verifying/live-source.ts';
import { verifyLive } from '../src/ledger/verifying/verify-live.ts';
import { Witness } from '../src/ledger/witness/witness-round.ts';
import { WitnessState } from '../src/ledger/witness/witness-state.ts';
import { recordStart } from '../src/ledger-doors.ts';
import { claimFeed } from '../src/monitoring/feeds/feed-lease.ts';
import { WatchCursor } from '../src/monitoring/watch/watch-cursor.ts';
import { turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';

import { postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { ledgerEntries } from './support/ledger.ts';
import { TEST_ORIGIN } from './support/sequencer-entries.ts';
import { testSequencer, testSigner, testVerifier } from './support/sequencer-tree.ts';
import { redemption, startServer, WANG } from './support/server.ts';

/** The ledger as a process that has just begun has it. */
const newLedger = (database: Database) =>
  createLedger({
    database,
    openings: createOpenings(database, createSealer(Buffer.alloc(32, 1))),
    index: createBlindIndex(Buffer.alloc(32, 2)),
    node: 'n1',
  });

async function verdictOf(t: ExecutionContext, database: Database): Promise<string> {
  await testSequencer(t, { database }).stop();
  const key = parseVerifierKey(encodeVerifierKey(TEST_ORIGIN, 'sm2-sm3', testVerifier.publicKey));
  const { verdict, reason } = await verifyLive(liveSource(database), { key: key!, witnesses: [] });
  return `${verdict} ${reason}`;
}

async function clockSteps(t: ExecutionContext, database: Database): Promise<void> {
  t.teardown(() => turnClock(0));
  const ledger = newLedger(database);
  await ledger.record({ type: 'sign-in.cancelled' });
  turnClock(-120_000);
  await ledger.record({ type: 'sign-in.cancelled' });
  turnClock(3_600_000);
  await ledger.record({ type: 'sign-in.cancelled' });
  turnClock(0);
  await t.throwsAsync(
    database.write(async (tx) => {
      await ledger.append(tx, { type: 'sign-in.cancelled' });
      throw new Error('undone');
    }),
  );
  await ledger.record({ type: 'sign-in.cancelled' });
  turnClock(-7_200_000);
  await newLedger(database).record({ type: 'sign-in.cancelled' });
  await newLedger(database).record({ type: 'sign-in.cancelled' });
  const steps = (await ledgerEntries(database)).map(({ type, data }) =>
    type === 'clock.step' ? Math.round(Number(data.stepMs) / 60_000) : type,
  );
  const other = 'sign-in.cancelled';
  t.deepEqual(steps, [other, -2, other, other, -60, other, -120, other, other]);
  t.regex(await verdictOf(t, database), /^good/);
}

const STEPS =
  'X8 L14 a clock that is set leaves a ledger that verifies, whoever writes first and though it was set while nobody ran';
test.serial(STEPS, async (t) => clockSteps(t, await sqliteDatabase(t)));
postgresTest.serial(`${STEPS} (PostgreSQL)`, async (t) => clockSteps(t, await postgresDatabase(t)));

test.serial('X8 the clock set back holds up no window of failures', async (t) => {
  t.teardown(() => turnClock(0));
  const database = await sqliteDatabase(t);
  const options = { ledger: newLedger(database), write: database.write.bind(database), flushMs: 5, windowMs: 50 };
  const failures = createFailures({ ...options, singlesMax: 1 });
  const refused = { type: 'sign-in.refused', outcome: 'failure', address: '198.51.100.9' } as const;
  await failures.record(refused);
  turnClock(-3_600_000);
  await delay(60);
  await failures.record(refused);
  const entries = await ledgerEntries(database, 'sign-in.refused');
  t.deepEqual(
    entries.map(({ data }) => data.repeated),
    [undefined, undefined],
  );
});

test('L12 the house waits for counts that are being written', async (t) => {
  const store = Promise.withResolvers<void>();
  let written = false;
  const failures = createFailures({
    ledger: newLedger(await sqliteDatabase(t)),
    singlesMax: 0,
    flushMs: 1,
    write: async () => {
      await store.promise;
      written = true;
    },
  });
  const answer = failures.record({ type: 'sign-in.refused', outcome: 'failure', address: '198.51.100.9' });
  await delay(50);
  const settled = failures.settle();
  t.is(await Promise.race([settled.then(() => 'settled'), delay(50, 'waits')]), 'waits');
  store.resolve();
  await settled;
  t.true(written);
  await answer;
});

test('L12 the house waits for a single failure that nobody waits for', async (t) => {
  const server = await startServer(t);
  const { failures } = server.house;
  void failures.record({ type: 'sign-in.refused', outcome: 'failure', address: '198.51.100.9' });
  await failures.settle();
  t.is((await server.events('sign-in.refused')).length, 1);
});

test('L15 the ledger says once how it began, however far the sequencer has come by then', async (t) => {
  const server = await startServer(t);
  await delay(1200);
  await recordStart(server.house);
  t.is((await server.events('audit.opened')).length, 1);
  t.is((await server.events('server.started')).length, 2);
  const entries = await server.events();
  t.true(entries.findIndex(({ type }) => type === 'audit.opened') > 0, 'keys are entered before');
});

test('L11 lines that somebody has added to a signed checkpoint neither end a witness nor get its cosignature', async (t) => {
  const signer = testSigner(t);
  const root = Buffer.alloc(32, 7);
  const signed = await signNote({ origin: TEST_ORIGIN, size: 3, root }, signer);
  const line = signed.split('\n').at(-2)!;
  const others = Array.from({ length: 15 }, (_, at) => `${line.replace(TEST_ORIGIN, `other-${at}`)}\n`).join('');
  t.is(parseNote(signed + others)?.signatures.length, 16);
  const folder = join(temporaryFolder(t), 'state');
  const state = new WitnessState(folder);
  await state.createKey('witness.example');
  const witness = new Witness({
    source: { checkpoint: async () => signed + others, nodes: () => async () => root },
    state,
    verifier: { ...testVerifier, name: TEST_ORIGIN },
    name: 'witness.example',
    signer,
    held: undefined,
  });
  t.is((await witness.visit()).outcome, 'first');
  const names = parseNote(await readFile(join(folder, '3.note'), 'utf8'))?.signatures.map(({ name }) => name);
  t.deepEqual(names, [TEST_ORIGIN, 'witness.example']);
});

test('L14 a file of nothing but checkpoints is not held in memory as a whole', async (t) => {
  const file = join(temporaryFolder(t), 'export.jsonl');
  const line = `{"checkpoint":"${'x'.repeat(1024 * 1024)}"}\n`;
  await writeFile(file, `{}\n${line.repeat(80)}`);
  const opened = await ExportFile.open(file);
  t.true(opened.preamble.length < 65, `${opened.preamble.length} lines`);
  await opened.close();
});

test('H5 L8 grants that end outside of a session are told to the ledger as well', async (t) => {
  const server = await startServer(t);
  const person = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const query = { scope: 'openid offline_access', prompt: 'consent' };
  const { sessionEnds, database } = server.house;
  const revoked = async (): Promise<number> => (await server.events('token.revoked')).length;

  await server.token(portal, redemption(await server.signIn(server.browser(), portal, { query })));
  await database.run('UPDATE sessions SET ended_at = $1', [1]);
  await sessionEnds.endAll(person, 'person_disabled', { actor: 'system' });
  t.is(await revoked(), 1, 'offline access outlives its session');
  await sessionEnds.endAll(person, 'person_disabled');
  t.is(await revoked(), 1, 'nothing was left to end');

  await server.token(portal, redemption(await server.signIn(server.browser(), portal, { query })));
  await sessionEnds.endPortal(person, portal.id, async () => {});
  t.is(await revoked(), 2);
  await sessionEnds.endPortal(person, portal.id, async () => {});
  t.is(await revoked(), 2);
});

test.serial('X8 a lease that a clock gone astray has taken for a day holds up neither watch nor feeds', async (t) => {
  t.teardown(() => turnClock(0));
  const database = await sqliteDatabase(t);
  turnClock(86_400_000);
  t.truthy(await new WatchCursor(database).take());
  t.true((await claimFeed(database, 'siem', 'node-1', undefined)).mine);
  t.is(await new WatchCursor(database).take(), undefined, 'a lease that stands is respected');
  t.false((await claimFeed(database, 'siem', 'node-2', undefined)).mine);
  turnClock(0);
  t.truthy(await new WatchCursor(database).take());
  t.true((await claimFeed(database, 'siem', 'node-2', undefined)).mine);
  t.false((await claimFeed(database, 'siem', 'node-1', undefined)).mine);
});

test('F2 what a crash has left of a shut account ends before it opens; who was never shut out stays signed in', async (t) => {
  const server = await startServer(t);
  const person = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const { persons, sessionEnds } = server.house;
  const another = await openHouse(server.house.config);
  t.teardown(() => another.close());
  const sessions = async (): Promise<number> => (await sessionEnds.list(person)).length;
  await server.signIn(server.browser(), portal);
  t.is(await persons.unfreeze(person, 'command', 'mistaken'), 'unchanged');
  t.is(await persons.enable(person, 'command'), 'unchanged');
  t.is(await sessions(), 1);
  for (const [status, open] of [
    ['disabled', () => persons.enable(person, 'command')],
    ['frozen', () => persons.unfreeze(person, 'command', 'came to the counter')],
  ] as const) {
    await server.signIn(server.browser(), portal);
    await another.database.run('UPDATE persons SET status = $1 WHERE id = $2', [status, person]);
    t.is(await open(), 'changed');
    t.is(await sessions(), 0, status);
  }
});
