import { parseArgs } from 'node:util';
import {
  bigIntJudge,
  nodeJudge,
  ourselves,
  randomSm2Case,
  type Sm2Judge,
  smCryptoJudge,
} from '../test/support/sm2-judges.ts';
import { openBouncyCastleJudge, openCommandJudge } from '../test/support/sm2-outside-judges.ts';

/*
 * `npm run drill:sm2 -- --n 10000`: random keys, messages and texts; our SM2 and every other at hand sign, verify, encrypt and
 * decrypt for one another. The two that take long, sm-crypto and the openssl command, judge every fiftieth case, and the last
 * lines say how many each has judged. Ends with 1 when any two did not agree.
 */

const { values } = parseArgs({
  options: { n: { type: 'string', default: '10000' }, 'slow-share': { type: 'string', default: '50' } },
});
const count = Number(values.n);
const slowShare = Number(values['slow-share']);
const SHOWN_MAX = 20;
const PROGRESS = 1000;

const absent: string[] = [];
const judges: { readonly judge: Sm2Judge; readonly every: number; judged: number; disagreed: number; ms: number }[] =
  [];
const seat = (judge: Sm2Judge | string, every: number, name = ''): void => {
  if (typeof judge === 'string') absent.push(`${name} takes no part: ${judge}`);
  else judges.push({ judge, every, judged: 0, disagreed: 0, ms: 0 });
};
for (const judge of [ourselves, bigIntJudge, nodeJudge]) seat(judge, 1);
seat(openBouncyCastleJudge(), 1, 'Bouncy Castle');
seat(openCommandJudge(), slowShare, 'the openssl command');
seat(smCryptoJudge, slowShare);

const started = performance.now();
const seconds = (): number => Math.round((performance.now() - started) / 100) / 10;
let shown = 0;
for (let done = 1; done <= count; done += 1) {
  const one = randomSm2Case();
  for (const seated of judges.filter(({ every }) => done % every === 0)) {
    const before = performance.now();
    const wrong = await seated.judge.judge(one);
    seated.ms += performance.now() - before;
    seated.judged += 1;
    if (wrong.length === 0) continue;
    seated.disagreed += 1;
    shown += 1;
    if (shown > SHOWN_MAX) continue;
    const values = { ...one, key: undefined };
    process.stdout.write(`${seated.judge.name}: not so: ${wrong.join('; ')}: ${JSON.stringify(values)}\n`);
  }
  if (done % PROGRESS === 0) process.stderr.write(`${done} of ${count}, ${seconds()} s\n`);
}

for (const { judge, judged, disagreed, ms } of judges) {
  judge.close?.();
  const each = (ms / Math.max(judged, 1)).toFixed(1);
  process.stdout.write(`${judge.name.padEnd(32)} ${judged} judged, ${disagreed} disagreed, ${each} ms each\n`);
}
for (const reason of absent) process.stdout.write(`${reason}\n`);
const failed = judges.some(({ disagreed }) => disagreed > 0);
process.stdout.write(`${count} random cases, ${failed ? 'with disagreement' : 'all agree'}, ${seconds()} s\n`);
process.exitCode = failed ? 1 : 0;
