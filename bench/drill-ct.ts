import { randomBytes, randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { createBigIntEngine } from '../src/crypto/sm2/bigint-engine.ts';
import { sm2Engine } from '../src/crypto/sm2/engine.ts';
import { LeakTest } from './welch.ts';

/*
 * `npm run drill:ct -- --seconds 20`: does the time of what SM2 does with secrets tell of them? One half of the calls has a fixed
 * secret, with few bits, the other half random ones, in random order. Above 10 the means differ and there is a leak; from
 * 4.5 on one may be suspected, and it is measured once more. The last line is a control: arithmetic known to leak, where
 * the same test must find it. Ends with 1 for a leak, or a control that was not found.
 */

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' } } });
const seconds = Number(values.seconds);

const SUSPECTED = 4.5;
const LEAK = 10;
const INPUTS = 1024;
const WARM_UP = 1000;
const CONTROL_SHARE = 0.5;

const engine = sm2Engine();
const plain = createBigIntEngine();

/** From 2^248 to 2^255, so below the order and of full length. */
const randomScalar = (): Buffer => {
  const bytes = randomBytes(32);
  bytes[0] = randomInt(1, 128);
  return bytes;
};
const sparse = Buffer.alloc(32);
sparse[0] = 0x40;
sparse[31] = 0x01;

const e = randomBytes(32);
const point = engine.publicKey(randomScalar())!;
const [factor, nonce] = [engine.signingFactor(randomScalar()), randomScalar()];

interface Subject {
  readonly name: string;
  readonly leaky?: true;
  readonly call: (secret: Buffer) => unknown;
}

const SUBJECTS: readonly Subject[] = [
  { name: 'signing: the nonce k', call: (k) => engine.givenNonce.sign(e, factor, k) },
  { name: 'signing: the factor of the key', call: (secret) => engine.givenNonce.sign(e, secret, nonce) },
  { name: 'reading a key: 1 / (1 + d)', call: (d) => engine.signingFactor(d) },
  { name: 'decrypting: d times a point', call: (d) => engine.multiply(d, point) },
  { name: 'control: BigInt, d times a point', leaky: true, call: (d) => plain.multiply(d, point) },
];

/** All inputs lie in one stretch of memory, each in its own place, the fixed ones too: only the value tells them apart. */
function measure({ call, leaky }: Subject): { readonly t: number; readonly count: number } {
  const memory = Buffer.alloc(INPUTS * 32);
  const inputs = Array.from({ length: INPUTS }, (_, index) => {
    const kind = randomInt(2) as 0 | 1;
    const secret = memory.subarray(index * 32, (index + 1) * 32);
    secret.set(kind === 0 ? sparse : randomScalar());
    return { kind, secret };
  });
  for (let count = 0; count < (leaky ? 20 : WARM_UP); count += 1) call(inputs[count % INPUTS]!.secret);
  const test = new LeakTest(leaky ? 100 : undefined);
  const end = performance.now() + seconds * 1000 * (leaky ? CONTROL_SHARE : 1);
  while (performance.now() < end) {
    const { kind, secret } = inputs[randomInt(INPUTS)]!;
    const started = process.hrtime.bigint();
    call(secret);
    test.add(kind, Number(process.hrtime.bigint() - started));
  }
  return test.result;
}

const verdictOf = (t: number): string => (t > LEAK ? 'LEAK' : t > SUSPECTED ? 'suspected' : 'no leak found');

let failed = false;
for (const subject of SUBJECTS) {
  let result = measure(subject);
  const first = result.t;
  if (!subject.leaky && first > SUSPECTED) result = measure(subject);
  const again = result.t === first ? '' : ` (first ${first.toFixed(1)})`;
  const verdict = verdictOf(result.t);
  process.stdout.write(
    `${subject.name.padEnd(36)} |t| = ${result.t.toFixed(1).padStart(6)}${again}, ${result.count} calls: ${verdict}\n`,
  );
  failed ||= subject.leaky ? result.t <= LEAK : result.t > SUSPECTED;
}
process.stdout.write(failed ? 'not as it should be\n' : 'no leak found, and the control was\n');
process.exitCode = failed ? 1 : 0;
