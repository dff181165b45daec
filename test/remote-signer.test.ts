import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sm2 } from 'sm-crypto';
import { MOODS, type Mood } from '../examples/svs/server.ts';
import { createRemoteSm2Signer } from '../src/crypto/remote/remote-sm2-signer.ts';
import { isSm2PublicKey, type Signer } from '../src/crypto/signer.ts';
import { createSm2Verifier, createSoftwareSm2Signer } from '../src/crypto/sm2-software-signer.ts';
import { Fault } from '../src/shared/fault.ts';
import { makeCertificates } from './support/feed-receivers.ts';
import { temporaryFolder } from './support/folders.ts';
import { clientOf, sharedKeyServer, tlsServer } from './support/signature-server.ts';
import { until } from './support/waiting.ts';

const MESSAGE = Buffer.from('eyJhbGciOiJTR0RfU00zX1NNMiJ9.eyJuYW1lIjoi546L5bCP5piOIn0');
const AWAY = { instanceOf: Fault, code: 'signer_unavailable' } as const;

for (const [way, start] of [
  ['a shared key', sharedKeyServer],
  ['mutual TLS', tlsServer],
] as const) {
  test(`a signature server behind ${way} makes a key and signs with it, and is told the digest alone`, async (t) => {
    const { running, settings } = await start(t);
    const server = clientOf(settings);
    const [first, key] = [await server.newKey(), await server.newKey()];
    t.not(first.keyId, key.keyId, 'nobody is given one key twice');
    const signer = createRemoteSm2Signer(server, key);
    const signature = await signer.sign(MESSAGE);
    t.true(createSm2Verifier(key.publicKey).verify(MESSAGE, signature));
    t.deepEqual(
      running.asked.map(({ path }) => path),
      ['/keys', '/keys', '/sign'],
    );
    const sent = JSON.parse(running.asked[2]!.body) as Record<string, string>;
    t.deepEqual(Object.keys(sent).sort(), ['digest', 'keyId', 'requestId']);
    t.is(sent.digest?.length, 64);
    await signer.close();
    await t.throwsAsync(signer.sign(MESSAGE), { code: 'internal' } as object);
  });
}

/** What every signer owes, wherever its key is. */
const SIGNERS: readonly (readonly [name: string, open: (t: ExecutionContext) => Promise<Signer>])[] = [
  ['in software', async () => createSoftwareSm2Signer('3a'.repeat(32))],
  [
    'of a signature server',
    async (t) => {
      const server = clientOf((await sharedKeyServer(t)).settings);
      return createRemoteSm2Signer(server, await server.newKey());
    },
  ],
];

for (const [name, open] of SIGNERS) {
  test(`a signer ${name} keeps one key, signs what anybody can verify, never twice the same, and lets go when it is closed`, async (t) => {
    const signer = await open(t);
    t.is(signer.alg, 'SM2');
    t.true(isSm2PublicKey(signer.publicKey));
    const messages = [Buffer.alloc(0), MESSAGE, MESSAGE, Buffer.alloc(65_536, 7)];
    const signatures = await Promise.all(messages.map((message) => signer.sign(message)));
    t.is(new Set(signatures.map((signature) => signature.toString('hex'))).size, messages.length);
    const publicHex = signer.publicKey.toString('hex');
    for (const [at, signature] of signatures.entries()) {
      const options = { hash: true, der: false, userId: '1234567812345678' } as const;
      t.is(signature.length, 64);
      t.true(sm2.doVerifySignature(messages[at]!, signature.toString('hex'), publicHex, options));
    }
    const waiting = signer.sign(MESSAGE).then(
      () => 'signed',
      () => 'rejected',
    );
    await signer.close();
    await t.throwsAsync(signer.sign(MESSAGE), { instanceOf: Fault, code: 'internal' } as object);
    t.is(await waiting, name === 'in software' ? 'signed' : 'rejected', 'what was signed on the spot has not waited');
  });
}

const HASTY: readonly Mood[] = ['slow', 'silent'];

for (const mood of MOODS.filter((each) => each !== 'well')) {
  test(`X3 a signature server that is ${mood} signs nothing, and a moment later everything`, async (t) => {
    const { running, settings } = await sharedKeyServer(t);
    const known = clientOf(settings);
    await known.newKey();
    const key = await known.newKey();
    const patient = createRemoteSm2Signer(known, key);
    await patient.sign(MESSAGE);
    running.mood = mood;
    const hasty = clientOf({ ...settings, timeoutMs: 200 });
    const signer = HASTY.includes(mood) ? createRemoteSm2Signer(hasty, key) : patient;
    const fault = await t.throwsAsync<Fault>(signer.sign(Buffer.from('another message')), AWAY);
    t.is(fault?.status, 503);
    t.true(Number(fault?.retryAfterSeconds) > 0);
    running.mood = 'well';
    t.is((await patient.sign(MESSAGE)).length, 64);
  });
}

test('X3 a dead signature server is left alone after a few failures, and signs again when it is back', async (t) => {
  const { running, settings } = await sharedKeyServer(t);
  const server = clientOf({ ...settings, circuitFailuresMax: 3, circuitOpenMs: 600_000 });
  const signer = createRemoteSm2Signer(server, await server.newKey());
  running.mood = 'down';
  for (let call = 0; call < 10; call += 1) await t.throwsAsync(signer.sign(MESSAGE), AWAY);
  t.is(running.asked.filter(({ path }) => path === '/sign').length, 3);
  t.is(server.load().circuit, 'open');

  running.mood = 'well';
  const quick = clientOf({ ...settings, circuitFailuresMax: 1, circuitOpenMs: 100, circuitTrials: 2 });
  running.mood = 'other-digest';
  const again = createRemoteSm2Signer(quick, await quick.newKey());
  await t.throwsAsync(again.sign(MESSAGE), AWAY);
  t.is(quick.load().circuit, 'open', 'one that signs something else is no better than a dead one');
  running.mood = 'well';
  t.true(
    await until(async () => {
      await again.sign(MESSAGE).catch(() => undefined);
      return quick.load().circuit === 'closed';
    }),
  );
});

test('X6 so many signatures are under way, so many wait, and the rest is told at once', async (t) => {
  const { running, settings } = await sharedKeyServer(t);
  const server = clientOf({ ...settings, inFlightMax: 2, queueMax: 1, queueDeadlineMs: 20_000 });
  const signer = createRemoteSm2Signer(server, await server.newKey());
  running.mood = 'slow';
  const calls = Array.from({ length: 5 }, () => signer.sign(MESSAGE));
  const settled = await Promise.allSettled(calls);
  t.is(settled.filter(({ status }) => status === 'fulfilled').length, 3);
});

test('signatures share the connections that are there', async (t) => {
  const { running, settings } = await tlsServer(t);
  const server = clientOf({ ...settings, inFlightMax: 4, queueMax: 100, queueDeadlineMs: 20_000 });
  const signer = createRemoteSm2Signer(server, await server.newKey());
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(Array.from({ length: 20 }, () => signer.sign(MESSAGE)));
  }
  t.true(running.connections() < 30, `${running.connections()} connections for 61 requests, four at a time`);
});

test('a key the server does not hold is a fault of ours, and no reason to leave the server alone', async (t) => {
  const { settings } = await sharedKeyServer(t);
  const server = clientOf({ ...settings, circuitFailuresMax: 1 });
  const key = await server.newKey();
  const lost = createRemoteSm2Signer(server, { ...key, keyId: '999' });
  const fault = await t.throwsAsync(lost.sign(MESSAGE), AWAY);
  t.regex(fault?.message ?? '', /unknown_key/);
  t.is(server.load().circuit, 'closed');
});

test('G2 neither side believes a stranger: another shared key, another name, another authority', async (t) => {
  const { running, settings } = await sharedKeyServer(t);
  const sharedKeyFile = join(temporaryFolder(t), 'other.key');
  writeFileSync(sharedKeyFile, '4d'.repeat(32), { mode: 0o600 });
  await t.throwsAsync(clientOf({ ...settings, sharedKeyFile }).newKey(), AWAY);
  await t.throwsAsync(clientOf({ ...settings, appId: 'somebody' }).newKey(), AWAY);
  t.is((await clientOf(settings).newKey()).keyId, '1', 'none of them was given a key');
  t.is(running.asked.length, 3);

  const tls = await tlsServer(t);
  const foreign = temporaryFolder(t);
  makeCertificates(foreign);
  const authorityFile = join(foreign, 'ca.crt');
  await t.throwsAsync(clientOf({ ...tls.settings, authorityFile }).newKey(), AWAY, 'a server of another authority');
  const ours = { certificateFile: join(foreign, 'client.crt'), keyFile: join(foreign, 'client.key') };
  await t.throwsAsync(clientOf({ ...tls.settings, ...ours }).newKey(), AWAY, 'a client of another authority');
  t.is(tls.running.asked.length, 0);
});

test('a shared key that others may read, or that is none, stops the start', async (t) => {
  const { settings } = await sharedKeyServer(t);
  writeFileSync(settings.sharedKeyFile, 'short', { mode: 0o600 });
  t.throws(() => clientOf(settings), { instanceOf: Fault, message: /holds no shared key/ });
  chmodSync(settings.sharedKeyFile, 0o644);
  t.throws(() => clientOf(settings), { instanceOf: Fault, message: /can be read by others/ });
  const tls = { ...settings, authentication: 'mutual-tls', certificateFile: '/nowhere', keyFile: '/nowhere' } as const;
  t.throws(() => clientOf(tls), { instanceOf: Fault, message: /cannot be read from/ });
});
