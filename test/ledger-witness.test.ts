import { execFileSync } from 'node:child_process';
import { copyFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { run } from '../src/commands/audit-witness.ts';
import { createSm2Verifier } from '../src/crypto/sm2-software-signer.ts';
import {
  encodeVerifierKey,
  parseVerifierKey,
  signNote,
  verifyCosignature,
  verifyNote,
} from '../src/ledger/checkpoints/checkpoint.ts';
import { createTileService } from '../src/ledger/witness/tile-service.ts';
import { type Admission, admitCheckpoint } from '../src/ledger/witness/witness.ts';
import { turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { insertEntries, TEST_ORIGIN } from './support/sequencer-entries.ts';
import { naiveLeaf, naiveRoot, testSequencer, testSigner, testVerifier } from './support/sequencer-tree.ts';
import { type ShownLedger, showLedger } from './support/shown-ledger.ts';

const LEDGER_KEY = encodeVerifierKey(TEST_ORIGIN, 'sm2-sm3', testVerifier.publicKey);
const NAME = 'audit.example/witness';

/** Adds entries and signs them. */
async function grow(t: ExecutionContext, database: Database, count: number, mark: string): Promise<void> {
  const sequencer = testSequencer(t, { database });
  await insertEntries(database, count, mark);
  await sequencer.stop();
}

interface Watcher {
  readonly folder: string;
  once(...words: readonly string[]): Promise<{ readonly code: number; readonly said: string }>;
  key(): Promise<string>;
  file(name: string): Promise<string>;
  files(): Promise<readonly string[]>;
}

function watcher(t: ExecutionContext, url: string): Watcher {
  const folder = join(temporaryFolder(t), 'state');
  const command = async (args: readonly string[]) => {
    let said = '';
    const stream = { write: (text: string) => (said += text) };
    return { code: await run(args, { stdout: stream, stderr: stream }), said };
  };
  return {
    folder,
    once: (...words) =>
      command(['--url', url, '--key', LEDGER_KEY, '--name', NAME, '--state', folder, '--once', ...words]),
    key: async () => (await command(['key', '--state', folder])).said.trim(),
    file: (name) => readFile(join(folder, name), 'utf8'),
    files: async () => (await readdir(folder)).sort(),
  };
}

async function watched(
  t: ExecutionContext,
  count: number,
): Promise<{ ledger: Database; shown: ShownLedger; witness: Watcher }> {
  const ledger = await sqliteDatabase(t);
  await grow(t, ledger, count, 'first');
  const shown = await showLedger(t, ledger);
  return { ledger, shown, witness: watcher(t, shown.url) };
}

const outcomeOf = (said: string): string => / (\S+): /.exec(said)?.[1] ?? said;

test('L11 a witness cosigns the first checkpoint and each one that extends what it holds', async (t) => {
  const { ledger, witness } = await watched(t, 300);
  for (const [more, outcome, size] of [
    [0, 'first', 300],
    [0, 'same', 300],
    [1, 'extends', 301],
    [211, 'extends', 512],
    [700, 'extends', 1212],
  ] as const) {
    if (more > 0) await grow(t, ledger, more, `to${size}`);
    const { code, said } = await witness.once();
    t.is(code, 0, said);
    t.is(outcomeOf(said), outcome);
    t.is(await witness.file('latest'), `${size}\n`);
    const key = parseVerifierKey(await witness.key())!;
    t.is(key.type, 'cosignature-sm2/v1');
    const note = await witness.file(`${size}.note`);
    const cosigned = verifyCosignature(note, { ...createSm2Verifier(key.publicKey), name: NAME });
    t.is(cosigned?.checkpoint.size, size);
    t.is(verifyNote(note, { ...testVerifier, name: TEST_ORIGIN })?.size, size, 'the signature of the ledger stays');
  }
  t.deepEqual(await witness.files(), ['1212.note', '300.note', '301.note', '512.note', 'latest', 'witness.json']);
  t.is((await stat(join(witness.folder, 'witness.json'))).mode & 0o777, 0o600);
  t.is((await stat(witness.folder)).mode & 0o777, 0o700);
});

/** The SQLite file of a ledger as a backup has it, opened. */
async function backupOf(t: ExecutionContext, file: string): Promise<string> {
  const copy = join(temporaryFolder(t), 'backup.sqlite');
  await copyFile(file, copy);
  return copy;
}

test('L11 L17 X10 a restored old backup is noticed, whether it stays behind or grows past the witness', async (t) => {
  const file = join(temporaryFolder(t), 'tongban.sqlite');
  const young = await openDatabase({ file });
  await grow(t, young, 300, 'before');
  await young.close();
  const backup = await backupOf(t, file);
  const ledger = await openDatabase({ file });
  t.teardown(() => ledger.close());
  await grow(t, ledger, 300, 'lost');
  const shown = await showLedger(t, ledger);
  const witness = watcher(t, shown.url);
  t.is((await witness.once()).code, 0);

  const restored = await openDatabase({ file: backup });
  t.teardown(() => restored.close());
  shown.show(restored);
  const behind = await witness.once();
  t.is(behind.code, 1);
  t.is(outcomeOf(behind.said), 'rollback');
  t.regex(behind.said, /shows size 300 after it had signed size 600/);
  await grow(t, restored, 300, 'again');
  t.is(outcomeOf((await witness.once()).said), 'fork', 'as long as before, and other entries');
  await grow(t, restored, 500, 'further');
  const past = await witness.once();
  t.is(past.code, 1);
  t.is(outcomeOf(past.said), 'fork');
  t.is(await witness.file('latest'), '600\n');
  const alarm = await witness.file('ALARM');
  t.true(alarm.includes(await witness.file('600.note')), 'the evidence has the note held');
  t.regex(alarm, new RegExp(`refused:\n${TEST_ORIGIN}\n300\n`));
  t.regex(alarm, new RegExp(`refused:\n${TEST_ORIGIN}\n1100\n`));

  shown.show(ledger);
  await grow(t, ledger, 5, 'found again');
  t.is(outcomeOf((await witness.once()).said), 'extends', 'the one that was held goes on');
  t.is(await witness.file('ALARM'), alarm, 'people alone remove an alarm');
});

test('L11 L17 two histories under the right key: the second is refused at every size', async (t) => {
  const { shown, witness } = await watched(t, 260);
  t.is((await witness.once()).code, 0);
  const before = await witness.files();
  const other = await sqliteDatabase(t);
  shown.show(other);
  for (const [count, outcome] of [
    [256, 'rollback'],
    [4, 'fork'],
    [1, 'fork'],
    [300, 'fork'],
  ] as const) {
    await grow(t, other, count, `other${count}`);
    const { code, said } = await witness.once();
    t.is(code, 1);
    t.is(outcomeOf(said), outcome);
  }
  t.deepEqual(await witness.files(), [...before, 'ALARM'].sort(), 'nothing of it was cosigned');
});

test('L11 a checkpoint under another key or name is not taken, and is no alarm', async (t) => {
  const { ledger, shown, witness } = await watched(t, 10);
  t.is((await witness.once()).code, 0);
  const { note } = (await ledger.get<{ note: string }>('SELECT note FROM ledger_checkpoints', []))!;
  const signer = testSigner(t);
  const root = naiveRoot([naiveLeaf(0, 'x')]);
  const elsewhere = await signNote({ origin: 'other.example/audit', size: 20, root }, signer);
  const unsigned = note.replace('\n10\n', '\n11\n');
  for (const shownNote of ['', 'x', note.slice(0, -1), unsigned, elsewhere, `${note}${note}`]) {
    shown.answerWith((_, response) => response.end(shownNote));
    const { code, said } = await witness.once();
    t.is(code, 1);
    t.is(outcomeOf(said), 'unsigned', shownNote);
  }
  t.deepEqual(await witness.files(), ['10.note', 'latest', 'witness.json']);
});

test('L11 X3 a ledger that does not answer as it should is asked again later, and is no alarm', async (t) => {
  const { ledger, shown, witness } = await watched(t, 300);
  t.is((await witness.once()).code, 0);
  await grow(t, ledger, 300, 'more');
  const service = createTileService(ledger);
  const spoiling =
    (spoil: (tile: Buffer) => Buffer | undefined): Parameters<ShownLedger['answerWith']>[0] =>
    async ({ url = '' }, response) => {
      const { status, body } = await service(url);
      if (url.endsWith('/checkpoint')) return response.end(body);
      const spoilt = spoil(Buffer.from(body));
      return spoilt === undefined ? response.destroy() : response.writeHead(status).end(spoilt);
    };
  const bad: Readonly<Record<string, Parameters<ShownLedger['answerWith']>[0]>> = {
    'status 500': (_, response) => response.writeHead(500).end(),
    'a redirect': (_, response) => response.writeHead(302, { location: '/ledger/checkpoint' }).end(),
    'more than a note has': (_, response) => response.end('x'.repeat(20_000)),
    'a body without end': (_, response) => {
      response.on('error', () => {});
      const timer = setInterval(
        () => (response.destroyed ? clearInterval(timer) : response.write('x'.repeat(9000))),
        5,
      );
    },
    'a tile too short': spoiling((tile) => tile.subarray(32)),
    'a tile too long': spoiling((tile) => Buffer.concat([tile, tile])),
    'a connection cut in a tile': spoiling(() => undefined),
  };
  for (const [what, listener] of Object.entries(bad)) {
    shown.answerWith(listener);
    const { code, said } = await witness.once();
    t.is(code, 1);
    t.is(outcomeOf(said), 'unreachable', `${what}: ${said}`);
  }
  t.false((await witness.files()).includes('ALARM'));
  shown.answerWith(spoiling((tile) => Buffer.alloc(tile.length, 1)));
  t.is(
    outcomeOf((await witness.once()).said),
    'fork',
    'a ledger that shows wrong hashes cannot prove that it only grew',
  );
  shown.answerWith(undefined);
  t.is(outcomeOf((await witness.once()).said), 'extends');
});

test('L11 a witness that runs on says one line for each change and goes on after an alarm', async (t) => {
  const { ledger, shown, witness } = await watched(t, 30);
  const lines: string[] = [];
  const ending = new AbortController();
  const stream = { write: (text: string) => lines.push(outcomeOf(text)) };
  const args = ['--url', shown.url, '--key', LEDGER_KEY, '--name', NAME, '--state', witness.folder, '--interval', '1'];
  const running = run(args, { stdout: stream, stderr: stream, signal: ending.signal });
  const until = async (count: number): Promise<void> => {
    for (let n = 0; n < 400 && lines.length < count; n += 1) await delay(25);
  };
  await until(1);
  await grow(t, ledger, 30, 'more');
  await delay(1500);
  const other = await sqliteDatabase(t);
  await grow(t, other, 10, 'other');
  shown.show(other);
  await until(2);
  await delay(1500);
  shown.show(ledger);
  await until(3);
  ending.abort();
  t.is(await running, 0);
  t.deepEqual(lines, ['first', 'rollback', 'same']);
  t.is(await witness.file('latest'), '60\n');
});

test('L11 a witness does not begin anew when its own folder was tampered with', async (t) => {
  const { ledger, witness } = await watched(t, 50);
  t.is((await witness.once()).code, 0);
  await grow(t, ledger, 50, 'more');
  const [pointer, note] = ['latest', '50.note'].map((name) => join(witness.folder, name)) as [string, string];
  const kept = await readFile(note, 'utf8');
  await writeFile(note, kept.replace('\n50\n', '\n49\n'));
  t.regex((await witness.once()).said, /does not bear this witness's signature/);
  await rm(note);
  t.is((await witness.once()).code, 1);
  await writeFile(note, kept);
  await rm(pointer);
  t.regex((await witness.once()).said, /does not say which is the latest/);
  await writeFile(pointer, '50\n');
  t.is((await witness.once()).code, 0);
  await writeFile(join(witness.folder, 'witness.json'), '{"format":1}');
  t.regex((await witness.once()).said, /witness.json in .* is damaged/);
});

test.serial('X8 the time in a cosignature never goes back', async (t) => {
  t.teardown(() => turnClock(0));
  const { ledger, witness } = await watched(t, 5);
  await witness.once();
  await grow(t, ledger, 5, 'more');
  turnClock(-120_000);
  await witness.once();
  const verifier = { ...createSm2Verifier(parseVerifierKey(await witness.key())!.publicKey), name: NAME };
  const [first, second] = await Promise.all(['5.note', '10.note'].map((name) => witness.file(name)));
  t.true(verifyCosignature(second!, verifier)!.unixSeconds >= verifyCosignature(first!, verifier)!.unixSeconds);
});

test('L11 the witness asks over TLS and trusts the given certificate alone', async (t) => {
  const folder = temporaryFolder(t);
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ledger -addext subjectAltName=IP:127.0.0.1 -keyout ${keyFile} -out ${certFile}`;
  execFileSync('openssl', words.split(' '), { stdio: 'ignore' });
  const ledger = await sqliteDatabase(t);
  await grow(t, ledger, 3, 'tls');
  const [key, cert] = [await readFile(keyFile, 'utf8'), await readFile(certFile, 'utf8')];
  const shown = await showLedger(t, ledger, { key, cert });
  const witness = watcher(t, shown.url);
  t.is(outcomeOf((await witness.once()).said), 'unreachable');
  t.is(outcomeOf((await witness.once('--ca', certFile)).said), 'first');
});

test('a command line that is not understood is answered with a sentence and exit code 2', async (t) => {
  const state = temporaryFolder(t);
  const good = { '--url': 'http://127.0.0.1:1/ledger', '--key': LEDGER_KEY, '--name': NAME, '--state': state };
  const bad: readonly (readonly [Record<string, string | undefined>, RegExp])[] = [
    [{ '--url': undefined }, /--url is missing/],
    [{ '--url': 'ftp://x/ledger' }, /--url is the http or https address/],
    [{ '--url': 'http://x/ledger?a=1' }, /without \? and #/],
    [{ '--key': 'nothing' }, /--key: nothing cannot be read/],
    [{ '--key': LEDGER_KEY.replace('+', '+0') }, /cannot be read/],
    [{ '--name': 'two words' }, /--name is 1 to 128/],
    [{ '--interval': '0' }, /--interval is a number/],
    [{ '--ca': join(state, 'none') }, /--ca: .* cannot be read/],
    [{ '--colour': 'red' }, /Unknown option/],
  ];
  for (const [change, sentence] of bad) {
    let said = '';
    const stream = { write: (text: string) => (said += text) };
    const args = Object.entries({ ...good, ...change }).flatMap(([name, value]) =>
      value === undefined ? [] : [name, value],
    );
    t.is(await run([...args, '--once'], { stdout: stream, stderr: stream }), 2, said);
    t.regex(said, sentence);
  }
  t.deepEqual(await readdir(state), [], 'no key is made for a command that is refused');
});

test('L11 only what extends the held checkpoint is admitted, for every pair of sizes', async (t) => {
  const signer = testSigner(t);
  const leaves = Array.from({ length: 40 }, (_, seq) => naiveLeaf(seq, `entry ${seq}`));
  const forged = leaves.map((leaf, seq) => (seq === 4 ? naiveLeaf(seq, 'forged') : leaf));
  const node = (of: readonly Buffer[]) => async (height: number, position: number) =>
    naiveRoot(of.slice(position * 2 ** height, (position + 1) * 2 ** height));
  // Signing is what takes the time; the verifier here believes every note, for signatures have their own tests.
  const verifier = { publicKey: signer.publicKey, name: TEST_ORIGIN, verify: () => true };
  const judge = async (oldSize: number, newSize: number, of: readonly Buffer[]): Promise<Admission['outcome']> => {
    const held = { origin: TEST_ORIGIN, size: oldSize, root: naiveRoot(leaves.slice(0, oldSize)) };
    const root = naiveRoot(of.slice(0, newSize));
    const note = await signNote(
      { origin: TEST_ORIGIN, size: newSize, root },
      { ...signer, sign: async () => Buffer.alloc(64, 1) },
    );
    return (await admitCheckpoint({ held, note, verifier, node: () => node(of) })).outcome;
  };
  for (let oldSize = 1; oldSize <= 24; oldSize += 1) {
    for (let newSize = 1; newSize <= 40; newSize += 1) {
      const expected = newSize < oldSize ? 'rollback' : newSize === oldSize ? 'same' : 'extends';
      t.is(await judge(oldSize, newSize, leaves), expected);
      const differs = oldSize > 4 && newSize >= oldSize;
      t.is(await judge(oldSize, newSize, forged), differs ? 'fork' : expected, `${oldSize} to ${newSize}`);
    }
  }
});

test('L4 the ledger shows checkpoints and hashes, never entries nor what is not signed', async (t) => {
  const database = await sqliteDatabase(t);
  const service = createTileService(database);
  t.is((await service('/ledger/checkpoint')).status, 404);
  await grow(t, database, 600, 'shown');
  const stored = await database.all<{ level: number; position: number; hashes: Uint8Array }>(
    'SELECT level, position, hashes FROM ledger_tiles',
    [],
  );
  const bytes = (level: number, position: number) =>
    Buffer.from(stored.find((tile) => tile.level === level && tile.position === position)!.hashes);
  for (const [path, expected] of [
    ['tile/0/000', bytes(0, 0)],
    ['tile/0/001', bytes(0, 1)],
    ['tile/0/001.p/7', bytes(0, 1).subarray(0, 7 * 32)],
    ['tile/0/002.p/88', bytes(0, 2)],
    ['tile/0/002.p/1', bytes(0, 2).subarray(0, 32)],
    ['tile/1/000.p/2', bytes(1, 0)],
  ] as const) {
    const { status, body, cacheSeconds, type } = await service(`/ledger/${path}`);
    t.is(status, 200, path);
    t.deepEqual(Buffer.from(body), expected);
    t.true(cacheSeconds > 86_400);
    t.is(type, 'application/octet-stream');
  }
  for (const path of [
    'tile/entries/000',
    'tile/entries/000.p/1',
    'tile/0/002',
    'tile/0/002.p/89',
    'tile/0/003.p/1',
    'tile/0/0',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/1/000.p/3',
    'tile/2/000.p/1',
    'tile/7/000.p/1',
    'tile/0/../../x',
    'tile/0/000?x',
    'checkpoint/',
    '',
  ]) {
    t.is((await service(`/ledger/${path}`)).status, 404, path);
  }
  t.is((await service('/checkpoint')).status, 404);
  // Hashed, but covered by no checkpoint.
  await database.run('DELETE FROM ledger_checkpoints', []);
  t.is((await service('/ledger/tile/0/000')).status, 404);
  const first = await service('/ledger/checkpoint');
  t.deepEqual([first.status, first.cacheSeconds], [404, 0]);
});
