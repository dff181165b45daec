import { execFile, spawnSync } from 'node:child_process';
import { createECDH, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { isSm2PublicKey, SM2_ORDER } from '../src/crypto/signer.ts';
import { sm2Engine } from '../src/crypto/sm2/engine.ts';
import { digestSm2, readSm2PrivateKey } from '../src/crypto/sm2/sm2.ts';
import { createSm2Verifier, createSoftwareSm2Signer, sm2PublicKey } from '../src/crypto/sm2-software-signer.ts';
import { Fault } from '../src/shared/fault.ts';
import { derSignature, privatePem, publicPem, rawSignature } from './support/sm2-forms.ts';

const run = promisify(execFile);

/** GB/T 32918.5 A.2. */
const PRIVATE_KEY = '3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8';
const PUBLIC_KEY = Buffer.from(
  '0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13',
  'hex',
);
const NONCE = '59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21';
const MESSAGE = Buffer.from('message digest');
const SIGNATURE = Buffer.from(
  'f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa',
  'hex',
);
const verifier = createSm2Verifier(PUBLIC_KEY);
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** With the nonce of the standard's example, which no signer can be given. */
function signWithNonce(message: Uint8Array): Buffer | undefined {
  const e = digestSm2(message, readSm2PrivateKey(bytes(PRIVATE_KEY)).publicKey);
  return sm2Engine().givenNonce.sign(e, sm2Engine().signingFactor(bytes(PRIVATE_KEY)), bytes(NONCE));
}

const scalar = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

test('R6 V59 keys and signatures are those of GB/T 32918.5, also over a second message', (t) => {
  t.deepEqual(sm2PublicKey(PRIVATE_KEY), PUBLIC_KEY);
  t.deepEqual(sm2PublicKey(PRIVATE_KEY.toUpperCase()), PUBLIC_KEY);
  t.deepEqual(signWithNonce(MESSAGE), SIGNATURE);
  t.true(verifier.verify(MESSAGE, SIGNATURE));
  const header = Buffer.from('{"alg":"SGD_SM3_SM2","typ":"JWT"}').toString('base64url');
  const payload = Buffer.from('{"iss":"https://id.example.gov.cn","sub":"synthetic"}').toString('base64url');
  const input = Buffer.from(`${header}.${payload}`);
  const expected =
    '16241cfa6077f7489e1ef5d6e2dc41f80b1029f3134a412aad1e947c4c6b0cb3d598563a4ad5c13a127b8611213e82edc1ce168757ac619956e9ddc6a25706a8';
  t.is(signWithNonce(input)?.toString('hex'), expected);
  t.true(verifier.verify(input, Buffer.from(expected, 'hex')));
});

test('R9 the signer signs what anybody can verify, never twice with the same nonce', async (t) => {
  const signer = createSoftwareSm2Signer(PRIVATE_KEY);
  t.deepEqual(signer.publicKey, PUBLIC_KEY);
  const signatures = await Promise.all(Array.from({ length: 40 }, () => signer.sign(MESSAGE)));
  t.is(new Set(signatures.map((signature) => signature.subarray(0, 32).toString('hex'))).size, signatures.length);
  for (const signature of signatures) t.true(verifier.verify(MESSAGE, signature));
  const view = randomBytes(300).subarray(50, 250);
  t.true(verifier.verify(view, await signer.sign(view)), 'part of a larger buffer');
  t.true(verifier.verify(Buffer.alloc(0), await signer.sign(Buffer.alloc(0))), 'nothing at all');
  await signer.close();
});

test.serial('R5 a signature costs the event loop next to nothing', async (t) => {
  const signer = createSoftwareSm2Signer(PRIVATE_KEY);
  await signer.sign(MESSAGE);
  const before = process.threadCpuUsage();
  for (let round = 0; round < 50; round += 1) await signer.sign(MESSAGE);
  const { user, system } = process.threadCpuUsage(before);
  await signer.close();
  t.true((user + system) / 50 < 1000, `${(user + system) / 50} us a signature on the main thread`);
});

test('R8 V59 exactly 64 bytes, R and S from 1 to n - 1, over exactly this message: nothing else verifies', (t) => {
  const [r, s] = [SIGNATURE.subarray(0, 32), SIGNATURE.subarray(32)];
  const number = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`);
  const forged: readonly (readonly [string, Uint8Array])[] = [
    ['empty', Buffer.alloc(0)],
    ['63 bytes', SIGNATURE.subarray(1)],
    ['65 bytes', Buffer.concat([SIGNATURE, Buffer.of(0)])],
    ['a zero before S', Buffer.concat([r, Buffer.of(0), s])],
    ['DER', derSignature(SIGNATURE)],
    ['hexadecimal text', Buffer.from(SIGNATURE.toString('hex'))],
    ['all zeros', Buffer.alloc(64)],
    ['R zero', Buffer.concat([scalar(0n), s])],
    ['S zero', Buffer.concat([r, scalar(0n)])],
    ['R the order', Buffer.concat([scalar(SM2_ORDER), s])],
    ['S the order', Buffer.concat([r, scalar(SM2_ORDER)])],
    ['R past the order', Buffer.concat([scalar(SM2_ORDER + 5n), s])],
    ['all ones', Buffer.alloc(64, 0xff)],
    ['R + S the order', Buffer.concat([r, scalar(SM2_ORDER - number(r))])],
    ['S negated', Buffer.concat([r, scalar(SM2_ORDER - number(s))])],
    ['R negated', Buffer.concat([scalar(SM2_ORDER - number(r)), s])],
    ['R and S changed over', Buffer.concat([s, r])],
  ];
  for (const [name, signature] of forged) t.false(verifier.verify(MESSAGE, signature), name);
  for (let place = 0; place < 64; place += 1) {
    const flipped = Buffer.from(SIGNATURE);
    flipped[place]! ^= 1 << (place % 8);
    t.false(verifier.verify(MESSAGE, flipped), `byte ${place}`);
  }
  t.false(verifier.verify(Buffer.from('message digesT'), SIGNATURE));
  const other = createSm2Verifier(sm2PublicKey('1'.padStart(64, '0')));
  t.false(other.verify(MESSAGE, SIGNATURE), 'another key');
});

test('V59 a public key is 65 bytes and a point of the curve, or is refused', (t) => {
  const [x, y] = [PUBLIC_KEY.subarray(1, 33), PUBLIC_KEY.subarray(33)];
  const field = 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn;
  const rootOfB = Buffer.from('fd4511e81736a60f07e88a83d6cf5a167fae6d1a9c9330e76e232e00f5cdc154', 'hex');
  const p256 = createECDH('prime256v1').generateKeys();
  const refused: readonly (readonly [string, Uint8Array])[] = [
    ['infinity', Buffer.of(0)],
    ['infinity, padded', Buffer.alloc(65)],
    ['the origin', Buffer.concat([Buffer.of(4), Buffer.alloc(64)])],
    ['compressed', Buffer.concat([Buffer.of(2 + (y[31]! & 1)), x])],
    ['hybrid', Buffer.concat([Buffer.of(6 + (y[31]! & 1)), x, y])],
    ['without its first byte', PUBLIC_KEY.subarray(1)],
    ['one byte longer', Buffer.concat([PUBLIC_KEY, Buffer.of(0)])],
    ['a bit of Y', Buffer.concat([PUBLIC_KEY.subarray(0, 64), Buffer.of(PUBLIC_KEY[64]! ^ 1)])],
    ['X and Y changed over', Buffer.concat([Buffer.of(4), y, x])],
    ['coordinates past the field', Buffer.concat([Buffer.of(4), scalar(field), y])],
    ['a point whose X = 0 is written as the field', Buffer.concat([Buffer.of(4), scalar(field), rootOfB])],
    ['a point of P-256', p256],
  ];
  for (const [name, key] of refused) {
    t.false(isSm2PublicKey(key), name);
    t.is(t.throws(() => createSm2Verifier(key), { instanceOf: Fault })?.code, 'internal', name);
  }
  t.true(isSm2PublicKey(PUBLIC_KEY));
  t.true(isSm2PublicKey(Buffer.concat([Buffer.of(4), scalar(0n), rootOfB])), 'the same point, written as it must be');
  const negated = scalar(field - BigInt(`0x${y.toString('hex')}`));
  t.true(isSm2PublicKey(Buffer.concat([Buffer.of(4), x, negated])), 'the point across');
});

test('a private key out of range is refused, and the fault does not repeat it', (t) => {
  const order = SM2_ORDER.toString(16);
  const nMinusOne = (SM2_ORDER - 1n).toString(16);
  for (const key of [
    '',
    '0'.repeat(64),
    order,
    nMinusOne,
    'f'.repeat(64),
    `${PRIVATE_KEY}00`,
    `${PRIVATE_KEY}\n`,
    'xyz',
  ]) {
    const fault = t.throws(() => createSoftwareSm2Signer(key), { instanceOf: Fault });
    t.is(fault?.message, 'The SM2 private key is not a valid one.');
  }
  t.is(sm2PublicKey((SM2_ORDER - 2n).toString(16)).length, 65);
});

test('a message that is too long is refused, and a closed signer signs nothing', async (t) => {
  const signer = createSoftwareSm2Signer(PRIVATE_KEY);
  t.is((await t.throwsAsync(signer.sign(Buffer.alloc(65_537)), { instanceOf: Fault }))?.code, 'internal');
  t.is((await signer.sign(Buffer.alloc(65_536))).length, 64);
  await signer.close();
  await t.throwsAsync(signer.sign(MESSAGE), { instanceOf: Fault });
  await signer.close();
});

const SIGNER_URL = new URL('../src/crypto/sm2-software-signer.ts', import.meta.url).href;

function scratchFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tongban-sm2-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Runs a module that has `signer`, in a process of its own, and gives what it prints. */
async function inOwnProcess(t: ExecutionContext, options: readonly string[], body: string): Promise<string> {
  const file = join(scratchFolder(t), 'script.mjs');
  const start = `import { createSoftwareSm2Signer } from '${SIGNER_URL}';
    const signer = createSoftwareSm2Signer('${PRIVATE_KEY}');`;
  writeFileSync(file, `${start}\n${body}`);
  const { stdout } = await run(process.execPath, [...options, file], { timeout: 20_000 });
  return stdout.trim();
}

test('a signer and its supply of nonces do not keep the process alive', async (t) => {
  const printed = await inOwnProcess(
    t,
    [],
    `signer.sign(Buffer.from('a')).then(() => signer.sign(Buffer.from('b'))).then(() => console.log('signed'));`,
  );
  t.is(printed, 'signed');
});

const OPENSSL = spawnSync('openssl', ['version'], { encoding: 'utf8' });
const agreement = OPENSSL.status === 0 ? test : test.skip;
const absent = OPENSSL.status === 0 ? '' : ' (skipped: there is no openssl command on this machine)';

agreement(`R6 V59 the openssl command and the signer accept each other's signatures${absent}`, async (t) => {
  const folder = scratchFolder(t);
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const publicFile = file('public.pem', publicPem(PUBLIC_KEY));
  const privateFile = file('private.pem', privatePem(bytes(PRIVATE_KEY), PUBLIC_KEY));
  const idOption = ['-pkeyopt', 'distid:1234567812345678', '-rawin', '-digest', 'sm3'];
  const opensslAccepts = (message: string, signature: Uint8Array): boolean => {
    const check = ['pkeyutl', '-verify', '-pubin', '-inkey', publicFile, '-in', message, ...idOption];
    return spawnSync('openssl', [...check, '-sigfile', file('signature', derSignature(signature))]).status === 0;
  };

  const signer = createSoftwareSm2Signer(PRIVATE_KEY);
  for (let round = 0; round < 20; round += 1) {
    const content = randomBytes(round * 17);
    const message = file('message', content);
    const ours = await signer.sign(content);
    t.true(opensslAccepts(message, ours), `round ${round}`);
    const sign = [
      'pkeyutl',
      '-sign',
      '-inkey',
      privateFile,
      '-in',
      message,
      '-out',
      join(folder, 'theirs'),
      ...idOption,
    ];
    await run('openssl', sign);
    const { stdout } = await run('cat', [join(folder, 'theirs')], { encoding: 'buffer' });
    t.true(verifier.verify(content, rawSignature(stdout)), `round ${round} the other way`);
    ours[round]! ^= 1;
    t.false(opensslAccepts(message, ours), `round ${round} altered`);
  }
  await signer.close();
});
