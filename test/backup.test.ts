import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { run as backup } from '../src/commands/backup.ts';
import { run as restore } from '../src/commands/restore.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import { createSoftwareSm2Signer, sm2PublicKey } from '../src/crypto/sm2-software-signer.ts';
import { cosign, encodeVerifierKey, type KeyType, parseNote, signNote } from '../src/ledger/checkpoints/checkpoint.ts';
import { temporaryFolder } from './support/folders.ts';
import { OFFLINE, ROOMY, refresh, tokensOf, userinfo } from './support/portal-calls.ts';
import { authorizationPath, startServer, type TestServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

const SIGNED_SOON = { ledger: { checkpointIntervalMs: 100 } } as const;

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function said(
  work: (streams: {
    readonly stdin: AsyncIterable<string>;
    readonly stdout: { write(text: string): unknown };
    readonly stderr: { write(text: string): unknown };
  }) => Promise<number>,
  input = '',
): Promise<Said> {
  const told = { out: '', err: '' };
  const code = await work({
    stdin: Readable.from([input]),
    stdout: { write: (text) => (told.out += text) },
    stderr: { write: (text) => (told.err += text) },
  });
  return { code, ...told };
}

const backUp = ({ house }: TestServer, args: readonly string[], input = ''): Promise<Said> =>
  said((streams) => backup(args, { house, ...streams }), input);

const bringBack = (args: readonly string[], input = ''): Promise<Said> =>
  said(
    (streams) =>
      restore(args, {
        ...streams,
        operator: 'test',
        prepare: (dataDir) =>
          prepareConfig({ env: { TONGBAN_PROFILE: 'test' }, overrides: dataDir === undefined ? {} : { dataDir } }),
      }),
    input,
  );

const WITNESS = 'audit.example/witness';
const [WITNESS_KEY, OTHER_KEY] = ['11'.repeat(32), '22'.repeat(32)] as const;
const verifierKey = (name: string, type: KeyType, privateKeyHex: string): string =>
  encodeVerifierKey(name, type, sm2PublicKey(privateKeyHex));

/** Gives a key something to sign. */
async function signing(
  privateKeyHex: string,
  work: (signer: ReturnType<typeof createSoftwareSm2Signer>) => Promise<string>,
): Promise<string> {
  const signer = createSoftwareSm2Signer(privateKeyHex);
  try {
    return await work(signer);
  } finally {
    await signer.close();
  }
}

const cosignedBy = (privateKeyHex: string, note: string): Promise<string> =>
  signing(privateKeyHex, (signer) => cosign(note, WITNESS, 1_700_000_000, signer));

/** The newest checkpoint of a running server, as its sequencer signed it. */
async function newestNote({ house }: TestServer): Promise<string> {
  const [latest] = await house.database.all<{ note: string }>(
    'SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1',
    [],
  );
  return latest!.note;
}

function keyIn(t: ExecutionContext): { readonly folder: string; readonly archive: string; readonly key: string } {
  const folder = temporaryFolder(t);
  const key = join(folder, 'backup.key');
  writeFileSync(key, randomBytes(48).toString('base64'));
  return { folder, archive: join(folder, 'tongban.backup'), key };
}

test('X9 a backup of a running server comes back with its people, and revives no session or token of before', async (t) => {
  const server = await startServer(t, { ...ROOMY, ...SIGNED_SOON });
  const person = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser();
  const tokens = await tokensOf(server, portal, browser, OFFLINE);
  t.true(await until(async () => (await server.house.ledgerReader.signedSize()) > 5));
  const { folder, archive, key } = keyIn(t);
  const made = await backUp(server, [archive, '--key-file', key]);
  t.is(made.code, 0, made.err);
  t.is(statSync(archive).mode & 0o777, 0o600);
  t.is((await server.events('server.backed-up')).length, 1);
  t.false(readFileSync(archive).includes('SQLite format'), 'nothing of it can be read');

  // Revoked after the backup was made: it must not come back with it.
  await server.house.sessionEnds.endAll(person, 'ended_by_person');
  const witness = join(folder, 'held.note');
  const size = await server.house.ledgerReader.signedSize();
  t.true(await until(async () => (await server.house.ledgerReader.signedSize()) > size));
  writeFileSync(witness, await cosignedBy(WITNESS_KEY, await newestNote(server)));
  const seen = ['--witness', witness, '--witness-key', verifierKey(WITNESS, 'cosignature-sm2/v1', WITNESS_KEY)];

  const checked = await bringBack([archive, '--check', '--key-file', key, ...seen]);
  t.is(checked.code, 0, checked.err);
  t.regex(checked.out, /\d+ entries that the witness has seen came after this backup/);
  const restored = join(folder, 'restored');
  const back = await bringBack([archive, '--to', restored, '--key-file', key, ...seen]);
  t.is(back.code, 0, back.err);
  t.regex(back.out, /1 sessions and all that was issued before have ended/);
  t.is((await bringBack([archive, '--to', restored, '--key-file', key])).code, 1, 'never over a store');

  const after = await startServer(t, { ...ROOMY, dataDir: restored });
  t.is((await userinfo(after, tokens.access_token)).status, 401);
  t.is((await refresh(after, portal, tokens.refresh_token)).status, 400);
  const returning = after.browser();
  for (const { name, value } of browser.cookies()) returning.setCookie(after.issuer, `${name}=${value}; Path=/`);
  const silent = await returning.get(authorizationPath(portal, { prompt: 'none' }));
  t.true(String(silent.location).includes('error=login_required'));
  t.truthy((await tokensOf(after, portal, after.browser())).access_token, 'who knows the password signs in as before');
  const [event] = await after.events('server.restored');
  t.like(event, { outcome: 'success', data: { sessions: 1 } });
  t.true(Number(event?.data.missing) > 0);
  t.is((await after.events('session.ended')).filter(({ data }) => data.cause === 'restored').length, 1);
});

test('X9 L11 what no witness signed, or of another ledger, is no testimony, and nothing is brought back by it', async (t) => {
  const server = await startServer(t, SIGNED_SOON);
  t.true(await until(async () => (await server.house.ledgerReader.signedSize()) > 0));
  const { folder, archive, key } = keyIn(t);
  t.is((await backUp(server, [archive, '--key-file', key])).code, 0);
  const note = await newestNote(server);
  const { checkpoint } = parseNote(note)!;
  const { privateKeyHex } = server.house.ledgerKey;
  const [noteFile, keyFile] = [join(folder, 'held.note'), join(folder, 'witness.key')];
  writeFileSync(keyFile, `${verifierKey(WITNESS, 'cosignature-sm2/v1', WITNESS_KEY)}\n\n# of the audit office\n`);
  const said = (held: string, by = keyFile): Promise<Said> => {
    writeFileSync(noteFile, held);
    return bringBack([
      archive,
      ...['--to', join(folder, 'restored'), '--key-file', key],
      ...['--witness', noteFile, '--witness-key', by],
    ]);
  };
  const refused = async (held: string, sentence: RegExp, by?: string): Promise<void> => {
    const answer = await said(held, by);
    t.is(answer.code, 1, answer.out);
    t.regex(answer.err, sentence);
    t.throws(() => statSync(join(folder, 'restored', 'tongban.db')), undefined, 'no store lies there to be served');
  };

  const good = await cosignedBy(WITNESS_KEY, note);
  const [text = ''] = note.split('\n\n');
  const altered = good.replace(`\n${checkpoint.size}\n`, `\n${checkpoint.size + 7}\n`);
  for (const held of [note, await cosignedBy(OTHER_KEY, note), altered, text, '']) {
    await refused(held, /does not bear the signature of this witness/);
  }
  const impostor = await signing(OTHER_KEY, (signer) => signNote(checkpoint, signer));
  const elsewhere = await signing(privateKeyHex, (signer) => signNote({ ...checkpoint, origin: 'x/audit' }, signer));
  for (const held of [impostor, elsewhere]) {
    await refused(await cosignedBy(WITNESS_KEY, held), /of another ledger/);
  }
  const stated = (size: number, root = checkpoint.root): Promise<string> =>
    signing(privateKeyHex, (signer) => signNote({ ...checkpoint, size, root }, signer)).then((signed) =>
      cosignedBy(WITNESS_KEY, signed),
    );
  await refused(good, /is not the key of a witness/, server.house.ledgerKey.verifierKey);
  await refused(good, /cannot be read/, join(folder, 'none'));

  // What the backup says of its own ledger is the newest checkpoint of that moment, and one may have been signed since.
  const { out } = await bringBack([archive, '--check', '--key-file', key]);
  const held = Number(/stands at (\d+) entries/.exec(out)?.[1]);
  await refused(await stated(held, randomBytes(32)), /has seen another ledger of this size/);
  const behind = await said(await stated(held + 12));
  t.is(behind.code, 0, behind.err);
  t.regex(behind.out, /^12 entries that the witness has seen came after this backup/m);
  const check = [archive, '--check', '--key-file', key, '--witness', noteFile];
  t.is((await bringBack(check)).code, 2, 'a note counts only under a key that is named');
});

test('X9 a backup that was altered, cut, lengthened or sealed with another key opens nothing', async (t) => {
  const server = await startServer(t);
  const { folder, archive, key } = keyIn(t);
  t.is((await backUp(server, [archive, '--key-file', key])).code, 0);
  t.is((await backUp(server, [archive, '--key-file', key])).code, 1, 'it replaces no file');
  const whole = readFileSync(archive);
  const other = join(folder, 'other.key');
  writeFileSync(other, randomBytes(48));
  const refused = async (file: string, by: string, what: string): Promise<void> => {
    const to = join(folder, `to-${what}`);
    const answer = await bringBack([file, '--to', to, '--key-file', by]);
    t.is(answer.code, 1, what);
    t.not(answer.err, '', what);
    t.throws(() => statSync(join(to, 'tongban.db')), undefined, what);
  };
  await refused(archive, other, 'another-key');
  const spoilt = join(folder, 'spoilt');
  for (const [what, at] of [
    ['header', 40],
    ['first', 200],
    ['middle', whole.length >> 1],
    ['last', whole.length - 1],
  ] as const) {
    const copy = Buffer.from(whole);
    copy[at]! ^= 1;
    writeFileSync(spoilt, copy);
    await refused(spoilt, key, what);
  }
  writeFileSync(spoilt, whole);
  truncateSync(spoilt, whole.length - 100);
  await refused(spoilt, key, 'cut');
  writeFileSync(spoilt, Buffer.concat([whole, Buffer.of(0)]));
  await refused(spoilt, key, 'lengthened');
});

test('X9 a passphrase seals as a key file does, and what is not understood changes nothing', async (t) => {
  const server = await startServer(t);
  const { archive, key } = keyIn(t);
  t.is((await backUp(server, [archive, '--passphrase-stdin'], 'short\n')).code, 1);
  t.is((await backUp(server, [archive], '')).code, 1);
  t.is((await backUp(server, [])).code, 2);
  t.is((await backUp(server, [archive, '--passphrase-stdin'], 'nine quiet rivers run\n')).code, 0);
  t.is((await bringBack([archive, '--check', '--passphrase-stdin'], 'nine quiet rivers ran\n')).code, 1);
  t.is((await bringBack([archive, '--check', '--key-file', key])).code, 1);
  t.is((await bringBack([archive, '--check', '--passphrase-stdin'], 'nine quiet rivers run\n')).code, 0);
  t.is((await bringBack([archive])).code, 2);
  t.is((await bringBack([archive, '--check', '--to', 'x'])).code, 2);
});
