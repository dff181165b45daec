import { spawnSync } from 'node:child_process';
import test from 'ava';
import { sm3 } from '../src/crypto/digests.ts';
import { createBigIntEngine } from '../src/crypto/sm2/bigint-engine.ts';
import { digestSm2, readSm2PrivateKey, readSm2PublicKey, signSm2, verifySm2 } from '../src/crypto/sm2/sm2.ts';

const sourceOf = (file: string): string => new URL(`../src/crypto/${file}`, import.meta.url).href;
const N = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n;
const KEY_HEX = '3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8';

/** Runs a program of its own, and gives back what it prints as JSON. */
function printed(program: string): Record<string, unknown> {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('R6 what is signed is the digest that GB/T 32918.5 publishes, with its Z', (t) => {
  const z = Buffer.from('b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3', 'hex');
  const message = Buffer.from('message digest');
  const { publicKey } = readSm2PrivateKey(Buffer.from(KEY_HEX, 'hex'));
  const e = digestSm2(message, publicKey);
  t.is(e.toString('hex'), 'f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640');
  t.deepEqual(e, sm3(Buffer.concat([z, message])));
});

test('R6 without WebAssembly a slower way gives the same answers, and the start checks it as well', (t) => {
  const message = 'a message';
  const there = readSm2PrivateKey(Buffer.from(KEY_HEX, 'hex'));
  const ours = signSm2(Buffer.from(message), there).toString('hex');
  const said = printed(`
    WebAssembly.validate = () => false;
    const { selfTest } = await import('${sourceOf('self-test.ts')}');
    const { sm2Engine } = await import('${sourceOf('sm2/engine.ts')}');
    const sm2 = await import('${sourceOf('sm2/sm2.ts')}');
    selfTest();
    const key = sm2.readSm2PrivateKey(Buffer.from('${KEY_HEX}', 'hex'));
    const message = Buffer.from('${message}');
    const sealed = sm2.encryptSm2(message, key.publicKey);
    console.log(JSON.stringify({
      kind: sm2Engine().kind,
      publicKey: Buffer.from(key.publicKey.bytes).toString('hex'),
      signature: sm2.signSm2(message, key).toString('hex'),
      takesOurs: sm2.verifySm2(message, Buffer.from('${ours}', 'hex'), key.publicKey),
      takesAnother: sm2.verifySm2(Buffer.from('another'), Buffer.from('${ours}', 'hex'), key.publicKey),
      opened: sm2.decryptSm2(sealed, key)?.toString(),
    }));`);
  t.like(said, { kind: createBigIntEngine().kind, takesOurs: true, takesAnother: false, opened: message });
  t.is(said.publicKey, Buffer.from(there.publicKey.bytes).toString('hex'));
  const theirs = Buffer.from(String(said.signature), 'hex');
  t.true(verifySm2(Buffer.from(message), theirs, readSm2PublicKey(there.publicKey.bytes)));
});

test('R9 a nonce that has served is nowhere in the memory it was kept in', (t) => {
  const said = printed(`
    const { Instance } = WebAssembly;
    let memory;
    WebAssembly.Instance = class extends Instance {
      constructor(...args) {
        super(...args);
        memory = this.exports.memory;
      }
    };
    const sm2 = await import('${sourceOf('sm2/sm2.ts')}');
    const d = Buffer.from('${KEY_HEX}', 'hex');
    const key = sm2.readSm2PrivateKey(d);
    const message = Buffer.from('a message');
    const seen = () => Buffer.from(memory.buffer).toString('latin1');
    sm2.signSm2(message, key);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = seen();
    const signature = sm2.signSm2(message, key).toString('hex');
    // A signature tells its nonce to whoever has the key: k = s (1 + d) + r d.
    const [r, s] = [BigInt('0x' + signature.slice(0, 64)), BigInt('0x' + signature.slice(64))];
    const number = BigInt('0x${KEY_HEX}');
    const k = (s * (1n + number) + r * number) % ${N}n;
    const bytes = Buffer.from(k.toString(16).padStart(64, '0'), 'hex');
    const limbs = Buffer.alloc(36);
    for (let at = 0; at < 9; at += 1) limbs.writeInt32LE(Number((k >> BigInt(29 * at)) & 0x1fffffffn), at * 4);
    // As the module writes numbers (native/number.h), as a processor does, and as the standard does; a quarter is as good as all.
    const pieces = [limbs, Buffer.from(bytes).reverse(), bytes].flatMap((whole) =>
      [0, 8, 16, 24].map((at) => whole.subarray(at, at + 8).toString('latin1')));
    const found = (text) => pieces.filter((piece) => text.includes(piece)).length;
    console.log(JSON.stringify({ before: found(before), after: found(seen()) }));`);
  t.true(Number(said.before) > 0, 'it lay there while it waited');
  t.is(said.after, 0);
});
