import test from 'ava';
import { Bulkhead } from '../src/calling/bulkhead.ts';
import { admit, type Circuit, CLOSED, settle } from '../src/calling/circuit.ts';
import { until } from './support/waiting.ts';

const RULES = { failuresMax: 3, openMs: 1_000, trialsToClose: 2 };

/**
 * One script a case: `ok` and `bad` are calls that start and end at once, `no` is a call that must not start, `+N` lets N ms pass.
 * The last word is the state at the end.
 */
const CASES: readonly (readonly [string, string])[] = [
  ['a healthy register', 'ok ok ok closed'],
  ['two failures are not three', 'bad bad closed'],
  ['a success in between begins the count anew', 'bad bad ok bad bad closed'],
  ['three in a row open it', 'bad bad bad no no open'],
  ['it stays open for its time', 'bad bad bad +999 no open'],
  ['then one tries, and two successes close it', 'bad bad bad +1000 ok half-open'],
  ['both successes', 'bad bad bad +1000 ok ok closed'],
  ['closed again, it counts from nothing', 'bad bad bad +1000 ok ok bad bad closed'],
  ['a trial that fails opens it for twice as long', 'bad bad bad +1000 bad +1999 no open'],
  ['and lets one try then', 'bad bad bad +1000 bad +2000 ok ok closed'],
  ['a failure after the first success opens it too', 'bad bad bad +1000 ok bad no open'],
  [
    'it never stays open longer than sixteen times',
    'bad bad bad +1000 bad +2000 bad +4000 bad +8000 bad +16000 bad +15999 no +1 ok ok closed',
  ],
  ['once closed, the next opening is a short one', 'bad bad bad +1000 bad +2000 ok ok bad bad bad +1000 ok half-open'],
];

for (const [title, script] of CASES) {
  test(`X3 circuit: ${title}`, (t) => {
    let circuit: Circuit = CLOSED;
    let nowMs = 5_000;
    const words = script.split(' ');
    for (const [at, word] of words.slice(0, -1).entries()) {
      if (word.startsWith('+')) {
        nowMs += Number(word);
        continue;
      }
      const { admitted, era, circuit: after } = admit(circuit, nowMs);
      t.is(admitted, word !== 'no', `word ${at + 1}: ${word}`);
      circuit = admitted ? settle(after, { era, answered: word === 'ok' }, nowMs, RULES) : after;
    }
    t.is(circuit.state, words.at(-1) as Circuit['state']);
  });
}

test('X3 circuit: what began before it opened has no say afterwards', (t) => {
  const [early, late] = [admit(CLOSED, 0), admit(CLOSED, 0)];
  let circuit: Circuit = CLOSED;
  for (let times = 0; times < 3; times += 1) circuit = settle(circuit, { era: 0, answered: false }, 0, RULES);
  t.is(circuit.state, 'open');
  t.is(settle(circuit, { era: early.era, answered: true }, 1, RULES), circuit, 'a late success does not close it');
  const trial = admit(circuit, 1_000);
  t.is(settle(trial.circuit, { era: late.era, answered: true }, 1_001, RULES), trial.circuit);
  t.is(settle(trial.circuit, { era: late.era, answered: false }, 1_001, RULES), trial.circuit);
  t.false(admit(trial.circuit, 1_001).admitted, 'while one tries, nobody else does');
});

test('X6 bulkhead: places, a queue and a deadline, and each place is given back', async (t) => {
  const bulkhead = new Bulkhead({ inFlightMax: 2, queueMax: 2, queueDeadlineMs: 60 });
  const open: (() => void)[] = [];
  const call = () => bulkhead.run(() => new Promise<string>((resolve) => open.push(() => resolve('done'))));
  const first = [call(), call()];
  const waiting = [call(), call()];
  t.is(await call(), 'busy', 'the queue is full');
  t.deepEqual(bulkhead.load(), { inFlight: 2, waiting: 2 });
  open.shift()?.();
  t.is(await first[0], 'done');
  t.true(await until(() => bulkhead.load().waiting === 1));
  t.deepEqual(bulkhead.load(), { inFlight: 2, waiting: 1 });
  t.is(await waiting[1], 'busy', 'it waited too long');
  for (const end of open.splice(0)) end();
  t.deepEqual(await Promise.all([first[1], waiting[0]]), ['done', 'done']);
  await t.throwsAsync(
    bulkhead.run(() => Promise.reject(new Error('broken'))),
    { message: 'broken' },
  );
  t.deepEqual(bulkhead.load(), { inFlight: 0, waiting: 0 });
});

test('X6 bulkhead: a thousand calls at once are never more than its places', async (t) => {
  const bulkhead = new Bulkhead({ inFlightMax: 7, queueMax: 500, queueDeadlineMs: 10_000 });
  let underWay = 0;
  let most = 0;
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, () =>
      bulkhead.run(async () => {
        underWay += 1;
        most = Math.max(most, underWay);
        await new Promise((resolve) => setImmediate(resolve));
        underWay -= 1;
        return 'done';
      }),
    ),
  );
  t.is(most, 7);
  t.is(answers.filter((answer) => answer === 'done').length, 507);
  t.is(answers.filter((answer) => answer === 'busy').length, 493);
});
