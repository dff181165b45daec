import { parseArgs } from 'node:util';
import { prepareDrill } from '../test/support/drill-material.ts';
import { type CaseResult, LedgerDrill } from '../test/support/ledger-drill.ts';
import { PythonVerifier, pythonMissing } from '../test/support/python-verifier.ts';
import { seededRandom } from '../test/support/seeded-random.ts';

// `npm run drill:ledger -- --n 10000 --seed 1`: tampers with a ledger in every way there is and counts what its verifiers find.

const { values } = parseArgs({
  options: {
    n: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    'without-python': { type: 'boolean', default: false },
  },
});
const count = Number(values.n);
const seed = Number(values.seed);

/** Files that wait for the slower verifier. */
const WAITING_MAX = 64;
const SHOWN_MAX = 20;

interface Tally {
  found: number;
  missed: number;
  'wrong place': number;
  'verifiers disagree': number;
}

const missing = values['without-python'] ? 'left out' : pythonMissing();
if (missing !== undefined) process.stderr.write(`The Python verifier does not take part: ${missing}.\n`);
const started = performance.now();
const random = seededRandom(seed);
const material = await prepareDrill(seed, random);
const keys = [material.ledger.keyText, material.ledger.witnessKeyText];
const python = missing === undefined ? new PythonVerifier(keys) : undefined;
const drill = new LedgerDrill(material, random, python);
const tallies = new Map<string, Tally>();
const wrong: CaseResult[] = [];

const settle = ({ kind, result, detail }: CaseResult): void => {
  const tally = tallies.get(kind) ?? { found: 0, missed: 0, 'wrong place': 0, 'verifiers disagree': 0 };
  tally[result] += 1;
  tallies.set(kind, tally);
  if (result !== 'found') wrong.push({ kind, result, detail });
};

const waiting: Promise<CaseResult>[] = [];
let done = 0;
while (done < count) {
  const one = await drill.next();
  if (one === undefined) continue;
  done += 1;
  waiting.push(one.settled);
  if (waiting.length >= WAITING_MAX) settle(await waiting.shift()!);
  if (done % 1000 === 0) process.stderr.write(`${done} of ${count}, ${seconds()} s\n`);
}
for (const result of waiting) settle(await result);
await python?.close();
await material.close();

for (const [kind, tally] of [...tallies].sort(([left], [right]) => left.localeCompare(right))) {
  const { found, missed, 'wrong place': place, 'verifiers disagree': differ } = tally;
  process.stdout.write(
    `${kind.padEnd(36)} found ${found}, missed ${missed}, wrong place ${place}, disagreement ${differ}\n`,
  );
}
for (const { kind, result, detail } of wrong.slice(0, SHOWN_MAX))
  process.stdout.write(`${result}: ${kind}: ${detail}\n`);
process.stdout.write(
  `${done} tamperings with seed ${seed}, ${wrong.length} not found as they should be, ${seconds()} s\n`,
);
process.exitCode = wrong.length === 0 ? 0 : 1;

function seconds(): number {
  return Math.round((performance.now() - started) / 100) / 10;
}
