import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sm2 } from 'sm-crypto';
import { encryptToken } from '../src/crypto/jose/jwe.ts';
import { createSealer } from '../src/crypto/sealing.ts';
import { SM2_USER_ID } from '../src/crypto/signer.ts';
import { createBigIntEngine } from '../src/crypto/sm2/bigint-engine.ts';
import { sm2Engine } from '../src/crypto/sm2/engine.ts';
import { decryptSm2, digestSm2, encryptSm2, readSm2PrivateKey, signSm2, verifySm2 } from '../src/crypto/sm2/sm2.ts';
import { createSm4 } from '../src/crypto/sm4.ts';

/*
 * `npm run bench -- --crypto`: how often a second of processor time can sign, verify and seal, beside what others do. A message
 * is as long as an ID token. Each figure is the best of several stretches, since other programs on the machine share its caches.
 */

const MESSAGE_BYTES = 600;
const STRETCHES = 5;
const STRETCH_MS = 300;
const BATCH = 8;

interface Rate {
  readonly name: string;
  /** Calls a second of processor time. */
  readonly rate: number;
  readonly goal?: number;
}

/** With `turns`, the event loop goes on after each few calls, as it does between requests: then nonces are made ahead. */
async function rateOf(call: () => unknown, turns = false): Promise<number> {
  let best = 0;
  for (let stretch = 0; stretch <= STRETCHES; stretch += 1) {
    const before = process.cpuUsage();
    const end = performance.now() + STRETCH_MS;
    let calls = 0;
    do {
      for (let count = 0; count < (turns ? BATCH : 1); count += 1) call();
      calls += turns ? BATCH : 1;
      if (turns) await nextTurn();
    } while (performance.now() < end);
    const { user, system } = process.cpuUsage(before);
    // The first stretch is for the compiler.
    if (stretch > 0) best = Math.max(best, (calls * 1e6) / (user + system));
  }
  return best;
}

async function rates(): Promise<readonly Rate[]> {
  const d = Buffer.alloc(32, 7);
  const key = readSm2PrivateKey(d);
  const message = randomBytes(MESSAGE_BYTES);
  const signature = signSm2(message, key);
  const contentKey = randomBytes(16);
  const wrapped = encryptSm2(contentKey, key.publicKey);

  const plain = createBigIntEngine();
  const e = digestSm2(message, key.publicKey);
  const point = key.publicKey.bytes.subarray(1);
  const plainFactor = plain.signingFactor(d);

  const [privateHex, publicHex] = [d.toString('hex'), key.publicKey.bytes.toString('hex')];
  const options = { hash: true, der: false, userId: SM2_USER_ID };

  const es256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const es256Signature = sign('sha256', message, es256.privateKey);

  const sealer = createSealer(randomBytes(32));
  const sealed = sealer.seal('110101199003078515', 'people:number:1');

  const gcm = createSm4('gcm', contentKey);
  const iv = randomBytes(12);
  const recipient = { key: key.publicKey, kid: 'a' };
  const token = message.toString('base64url');

  const calls: readonly (Omit<Rate, 'rate'> & { readonly call: () => unknown; readonly turns?: true })[] = [
    { name: 'SM2 sign, nonces made ahead', goal: 8000, turns: true, call: () => signSm2(message, key) },
    { name: 'SM2 sign, each nonce on the spot', goal: 8000, call: () => signSm2(message, key) },
    { name: 'SM2 verify', goal: 3000, call: () => verifySm2(message, signature, key.publicKey) },
    { name: 'SM2 encrypt 16 bytes', call: () => encryptSm2(contentKey, key.publicKey) },
    { name: 'SM2 decrypt 16 bytes', call: () => decryptSm2(wrapped, key) },
    { name: 'SM2 without WebAssembly, sign', call: () => plain.sign(e, plainFactor) },
    { name: 'SM2 without WebAssembly, verify', call: () => plain.verify(e, signature, point) },
    { name: 'sm-crypto sign', call: () => sm2.doSignature(message, privateHex, { ...options, publicKey: publicHex }) },
    {
      name: 'sm-crypto verify',
      call: () => sm2.doVerifySignature(message, signature.toString('hex'), publicHex, options),
    },
    { name: 'ES256 sign, node:crypto', call: () => sign('sha256', message, es256.privateKey) },
    { name: 'ES256 verify, node:crypto', call: () => verify('sha256', message, es256.publicKey, es256Signature) },
    { name: 'seal a column (SM4-CTR, HMAC-SM3)', call: () => sealer.seal('110101199003078515', 'people:number:1') },
    { name: 'unseal it', call: () => sealer.unseal(sealed, 'people:number:1') },
    { name: 'SM4-GCM, 600 bytes', call: () => gcm.seal(iv, message, iv) },
    { name: 'encrypt a token (SM2, SM4-GCM)', call: () => encryptToken(token, recipient, {}) },
  ];
  const measured: Rate[] = [];
  for (const { call, turns, ...named } of calls) measured.push({ ...named, rate: await rateOf(call, turns) });
  return measured;
}

/** Signatures and verifications a second of `openssl speed`, which counts processor time as well. */
function opensslSpeed(): readonly Rate[] {
  const { stdout } = spawnSync('openssl', ['speed', '-seconds', '2', 'sm2'], { encoding: 'utf8' });
  const [, signRate, verifyRate] = /\(CurveSM2\)\s+\S+\s+\S+\s+([\d.]+)\s+([\d.]+)/.exec(stdout ?? '') ?? [];
  if (signRate === undefined) return [];
  return [
    { name: 'openssl speed sm2, sign', rate: Number(signRate) },
    { name: 'openssl speed sm2, verify', rate: Number(verifyRate) },
  ];
}

/** Prints the table; resolves with whether every goal is met. */
export async function printCryptoRates(): Promise<boolean> {
  process.stdout.write(`SM2 by ${sm2Engine().kind}; calls a second of processor time\n`);
  const all = [...(await rates()), ...opensslSpeed()];
  for (const { name, rate, goal } of all) {
    const judged = goal === undefined ? '' : `  goal ${goal}: ${rate >= goal ? 'holds' : 'MISSED'}`;
    process.stdout.write(`${name.padEnd(36)}${Math.round(rate).toLocaleString('en').padStart(10)}${judged}\n`);
  }
  return all.every(({ rate, goal }) => goal === undefined || rate >= goal);
}
