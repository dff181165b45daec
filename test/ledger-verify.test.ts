import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type AuditVerifyContext, type LedgerHouse, run } from '../src/commands/audit-verify.ts';
import { createSoftwareSm2Signer } from '../src/crypto/sm2-software-signer.ts';
import type { LedgerEntry } from '../src/ledger/entry.ts';
import { startSequencer } from '../src/ledger/sequencing/sequencer.ts';
import { liveSource } from '../src/ledger/verifying/live-source.ts';
import { verifyExport } from '../src/ledger/verifying/verify-export.ts';
import { verifyLive } from '../src/ledger/verifying/verify-live.ts';
import { createVerifyPool } from '../src/ledger/verifying/verify-pool.ts';
import { openDatabase } from '../src/storage/open.ts';
import { prepareDrill } from './support/drill-material.ts';
import { testLedger } from './support/ledger.ts';
import { type BuiltLedger, buildLedger, LOG_KEY_HEX, ORIGIN, openBuiltLedger } from './support/ledger-builder.ts';
import { LedgerDrill } from './support/ledger-drill.ts';
import { changed, entryOf, fileOf, rangeOf } from './support/ledger-exports.ts';
import { PythonVerifier, pythonMissing, runPython } from './support/python-verifier.ts';
import { seededRandom } from './support/seeded-random.ts';

const noPython = pythonMissing();
const pythonTest = noPython === undefined ? test : test.skip;
const inPython = (title: string): string => (noPython === undefined ? title : `${title} (skipped: ${noPython})`);

const folderOf = async (t: ExecutionContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'tongban-verify-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

/** Judges an export with both verifiers, as far as they can be run here. */
async function judge(t: ExecutionContext, ledger: BuiltLedger, bytes: Buffer): Promise<readonly Judgement[]> {
  const file = join(await folderOf(t), 'export.jsonl');
  await writeFile(file, bytes);
  const { verdict, firstBad } = await verifyExport(file, { key: ledger.key });
  const ours = { verdict, firstBad };
  if (noPython !== undefined) return [ours];
  const { output } = runPython([file, '--key', ledger.keyText, '--json']);
  const theirs = JSON.parse(output) as Judgement;
  return [ours, { verdict: theirs.verdict, firstBad: theirs.firstBad }];
}

interface Judgement {
  readonly verdict: string;
  readonly firstBad: number | undefined;
}

const allSay = (t: ExecutionContext, judgements: readonly Judgement[], verdict: string, firstBad?: number): void => {
  for (const judgement of judgements) t.deepEqual(judgement, { verdict, firstBad });
};

test('L14 L17 P12 three hundred tamperings of exports and tables are found, each at its entry', async (t) => {
  t.timeout(180_000);
  const random = seededRandom(20260101);
  const material = await prepareDrill(7, random);
  const python =
    noPython === undefined ? new PythonVerifier([material.ledger.keyText, material.ledger.witnessKeyText]) : undefined;
  const drill = new LedgerDrill(material, random, python);
  const cases = [];
  while (cases.length < 300) {
    const one = await drill.next();
    if (one !== undefined) cases.push(one.settled);
  }
  const results = await Promise.all(cases);
  await python?.close();
  await material.close();
  t.deepEqual(
    results.filter(({ result }) => result !== 'found'),
    [],
  );
  t.true(new Set(results.map(({ kind }) => kind)).size > 25, 'nearly all kinds came up');
});

test('L13 what was removed with two approvals leaves a ledger that verifies', async (t) => {
  const prune = { from: 0, to: 512, approvers: ['operator:li', 'operator:wang'] };
  const before = await buildLedger({ seed: 3, size: 800, checkpointSizes: [] });
  const plan = { seed: 3, size: 800, checkpointSizes: [512, 800] };
  const removal = (data: LedgerEntry['data']): Promise<BuiltLedger> =>
    buildLedger({ ...plan, special: { 700: { type: 'audit.prune', data } } });
  const root = (await before.root(512)).toString('base64');
  const other = (await before.root(511)).toString('base64');
  const judgeRemoved = async (ledger: BuiltLedger): Promise<Judgement> => {
    const database = await openBuiltLedger(await folderOf(t), ledger);
    await database.run('DELETE FROM ledger_entries WHERE seq < 512', []);
    await database.run('DELETE FROM ledger_tiles WHERE level = 0 AND position < 2', []);
    const { verdict, firstBad } = await verifyLive(liveSource(database), { key: ledger.key, witnesses: [] });
    await database.close();
    return { verdict, firstBad };
  };
  const approved = await removal({ ...prune, root });
  allSay(t, [await judgeRemoved(approved)], 'good');
  allSay(t, await judge(t, approved, fileOf(await rangeOf(approved, 512, 800, 800))), 'good');
  const wrongRoot = await removal({ ...prune, root: other });
  allSay(t, [await judgeRemoved(wrongRoot)], 'tampered', 700);
  allSay(t, await judge(t, wrongRoot, fileOf(await rangeOf(wrongRoot, 512, 800, 800))), 'tampered', 700);
  const alone = await removal({ ...prune, root, approvers: ['operator:li', 'operator:li'] });
  allSay(t, [await judgeRemoved(alone)], 'tampered', 700);
  allSay(t, await judge(t, alone, fileOf(await rangeOf(alone, 512, 800, 800))), 'tampered', 700);
  allSay(t, [await judgeRemoved(await removal({ ...prune, to: 256, root }))], 'tampered', 0);
  allSay(t, [await judgeRemoved(await buildLedger(plan))], 'tampered', 0);
});

test('L14 an entry dated back is found, unless its node has told of a step of its clock', async (t) => {
  const back = (seq: number): string => new Date(Date.UTC(2026, 0, 1) + seq * 1000 - 60_000).toISOString();
  const special = (told: boolean): Record<number, Partial<LedgerEntry>> => ({
    300: told ? { type: 'clock.step', node: 'n1', ts: back(300), data: { stepMs: -60_000 } } : {},
    301: { node: 'n1', ts: back(301) },
    302: { node: 'n2', ts: new Date(Date.UTC(2026, 0, 1) + 302_000).toISOString() },
    303: { node: 'n1', ts: back(303) },
  });
  const plan = { seed: 4, size: 304, checkpointSizes: [304] };
  const silent = await buildLedger({ ...plan, special: special(false) });
  allSay(t, await judge(t, silent, fileOf(await rangeOf(silent, 0, 304, 304))), 'tampered', 301);
  const told = await buildLedger({ ...plan, special: special(true) });
  allSay(t, await judge(t, told, fileOf(await rangeOf(told, 0, 304, 304))), 'good');
  const elsewhere = await buildLedger({ ...plan, special: { ...special(true), 301: { node: 'n2', ts: back(301) } } });
  allSay(t, await judge(t, elsewhere, fileOf(await rangeOf(elsewhere, 0, 304, 304))), 'tampered', 301);
});

test('L14 well signed entries outside the schema are found', async (t) => {
  const odd: readonly Partial<Record<keyof LedgerEntry, unknown>>[] = [
    { ts: '2026-02-30T00:00:00.000Z' },
    { ts: '2026-01-01T24:00:00.000Z' },
    { outcome: 'perhaps' },
    { data: { count: 1.5 } },
    { data: { nested: { deep: true } } },
    { actor: null },
    { node: '\ud800' },
  ];
  for (const members of odd) {
    const ledger = await buildLedger({
      seed: 5,
      size: 3,
      checkpointSizes: [3],
      special: { 1: members as Partial<LedgerEntry> },
    });
    allSay(t, await judge(t, ledger, fileOf(await rangeOf(ledger, 0, 3, 3))), 'tampered', 1);
  }
});

test('L2 L17 when a person is erased from the ledger, everything still verifies', async (t) => {
  const database = await openDatabase({ file: join(await folderOf(t), 'ledger.db') });
  const ledger = testLedger(database);
  const signer = createSoftwareSm2Signer(LOG_KEY_HEX);
  const faults: unknown[] = [];
  const sequencer = startSequencer({ database, signer, origin: ORIGIN, onFault: (fault) => faults.push(fault) });
  const personId = 'p_erased';
  for (let count = 0; count < 5; count += 1) {
    await ledger.record({ type: 'sign-in.succeeded', personId, address: '192.0.2.7', details: { acr: 'x' } });
  }
  await sequencer.settle();
  const [entry] = await ledger.reader.read(0, 1);
  t.is((await ledger.reader.open(entry!)).ip, '192.0.2.7');
  const { key } = await buildLedger({ seed: 1, size: 0, checkpointSizes: [] });
  const trust = { key, witnesses: [] };
  const before = await verifyLive(liveSource(database), trust);
  t.true(await database.write((tx) => ledger.openings.erase(tx, personId)));
  t.deepEqual(await ledger.reader.open(entry!), {});
  const after = await verifyLive(liveSource(database), trust);
  t.is(after.verdict, 'good', after.reason);
  t.deepEqual(after, before);
  t.is(after.counts.entries, 5);
  await sequencer.stop();
  await signer.close();
  await database.close();
  t.deepEqual(faults, []);
});

test('L14 entries behind the newest checkpoint are counted, not judged', async (t) => {
  const ledger = await buildLedger({ seed: 6, size: 600, checkpointSizes: [500] });
  const database = await openBuiltLedger(await folderOf(t), ledger);
  await database.run("UPDATE ledger_entries SET entry = 'altered' WHERE seq = 550", []);
  const { verdict, counts } = await verifyLive(liveSource(database), { key: ledger.key, witnesses: [] });
  t.deepEqual([verdict, counts.entries, counts.beyond], ['good', 500, 100]);
  await database.close();
});

test('L14 a large export is judged by several threads as by one', async (t) => {
  const ledger = await buildLedger({ seed: 8, size: 9_000, checkpointSizes: [4_000, 9_000] });
  const original = await rangeOf(ledger, 0, 9_000, 9_000);
  const file = join(await folderOf(t), 'export.jsonl');
  const pool = createVerifyPool(2);
  t.teardown(() => pool.close());
  await writeFile(file, fileOf(original));
  const good = await verifyExport(file, { key: ledger.key, pool });
  t.is(good.verdict, 'good', good.reason);
  t.deepEqual(good, await verifyExport(file, { key: ledger.key }));
  const place = original.lines.findIndex((line) => line.startsWith('{"seq":8500,'));
  const edited = changed(original.lines[place]!, {
    entry: entryOf(original.lines[place]!).entry.replace('portal', 'p0rtal'),
  });
  await writeFile(file, fileOf({ ...original, lines: original.lines.with(place, edited) }));
  const bad = await verifyExport(file, { key: ledger.key, pool });
  t.is(bad.firstBad, 8_500);
  t.deepEqual(bad, await verifyExport(file, { key: ledger.key }));
});

/** Runs the command with these words. */
async function audit(args: readonly string[], openHouse?: () => Promise<LedgerHouse>) {
  let [out, err] = ['', ''];
  const context: AuditVerifyContext = {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    openHouse: openHouse ?? (() => Promise.reject(new Error('no house'))),
  };
  return { exitCode: await run(args, context), out, err };
}

test('L14 the command exits 0 for good, 1 for tampered, 2 when it cannot decide; so does the Python verifier', async (t) => {
  const folder = await folderOf(t);
  const ledger = await buildLedger({ seed: 9, size: 300, checkpointSizes: [200, 300] });
  const original = await rangeOf(ledger, 0, 200, 200);
  const [good, bad, foreign] = ['good', 'bad', 'foreign'].map((name) => join(folder, name)) as [string, string, string];
  await writeFile(good, fileOf(original));
  await writeFile(bad, fileOf({ ...original, lines: original.lines.filter((line) => !line.startsWith('{"seq":77,')) }));
  await writeFile(foreign, 'something else\n');
  const key = join(folder, 'key');
  await writeFile(key, `${ledger.keyText}\n`);
  await writeFile(join(folder, '300.note'), ledger.notes[1]!.note);
  const table: readonly (readonly [string, readonly string[], number])[] = [
    [good, ['--key', ledger.keyText], 0],
    [good, ['--key', key], 0],
    [bad, ['--key', key], 1],
    [good, [], 2],
    [good, ['--key', join(folder, 'absent')], 2],
    [good, ['--key', key, '--checkpoints', folder], 2],
    [foreign, ['--key', key], 2],
    [join(folder, 'absent'), ['--key', key], 2],
  ];
  for (const [file, options, expected] of table) {
    t.is((await audit(['--export', file, ...options])).exitCode, expected, `${file} ${options}`);
    if (noPython === undefined) t.is(runPython([file, ...options]).status, expected, `${file} ${options} in Python`);
  }
  t.regex((await audit(['--export', bad, '--key', key])).out, /^First bad sequence number: 77$/m);
  const json = JSON.parse((await audit(['--export', bad, '--key', key, '--json'])).out) as Judgement;
  t.deepEqual([json.verdict, json.firstBad], ['tampered', 77]);
  t.is((await audit(['--export', good, '--live'])).exitCode, 2);
  const database = await openBuiltLedger(folder, ledger);
  const house = { database, ledgerKey: { verifierKey: ledger.keyText }, close: () => database.close() };
  const live = await audit(['--live', '--checkpoints', folder], async () => house);
  t.is(live.exitCode, 0, live.out + live.err);
});

pythonTest(inPython('L14 without an SM2 verifying openssl the Python verifier does not say good'), async (t) => {
  const ledger = await buildLedger({ seed: 10, size: 20, checkpointSizes: [20] });
  const file = join(await folderOf(t), 'export');
  await writeFile(file, fileOf(await rangeOf(ledger, 0, 20, 20)));
  t.is(runPython([file, '--key', ledger.keyText], { PATH: '/nonexistent' }).status, 2);
});
