import test from 'ava';
import { type Ceremony, nextStep } from '../src/sign-in/ceremony.ts';
import { authenticationLevel, LEVELS, levelLeft, levelOfAcr, levelReached } from '../src/sign-in/levels.ts';
import { statementOf } from '../src/sign-in/statement.ts';
import { NOW, nextInWords, RULES, tableRows } from './support/ceremony-table.ts';

const ROWS = tableRows();

for (const [at, { situation, ceremony, next }] of ROWS.entries()) {
  test(`C5 D13 row ${at + 1}: ${situation}`, (t) => {
    t.is(nextInWords(ceremony), next);
  });
}

test('C5 the table is large, and no case stands in it twice', (t) => {
  t.true(ROWS.length >= 200, `${ROWS.length} rows`);
  const cases = ROWS.map(({ ceremony }) => JSON.stringify(ceremony));
  const twice = ROWS.filter((_row, at) => cases.indexOf(cases[at]!) !== at).map(({ situation }) => situation);
  t.deepEqual(twice, []);
});

test('D13 no situation gives a step that shows a person’s data to nobody', (t) => {
  for (const { situation, ceremony } of ROWS) {
    for (const prompt of ['login', 'select_account', 'choose_subject', 'consent', '', '__proto__']) {
      const { state } = nextStep({ ...ceremony, prompt, person: undefined });
      t.true(state === 'identify' || state === 'refuse', `${situation}, ${prompt}: ${state}`);
    }
  }
});

/** Every case of the table with every minimum, every demand and every identity. */
function* everywhere(): Generator<Ceremony> {
  for (const { ceremony } of ROWS) {
    for (const minimum of LEVELS) {
      for (const levels of [[], [1], [2], [3], [4], [4, 3], [1, 2, 3, 4]] as const) {
        for (const essential of levels.length > 0 ? [true, false] : [false]) {
          for (const ial of [0, 1, 2, 3, 4] as const) {
            const demand = { ...ceremony.demand, minimum, levels, essential };
            yield { ...ceremony, demand, account: { ...ceremony.account, ial } };
          }
        }
      }
    }
  }
}

test('C5 nothing is done below the portal’s minimum, whatever else is asked, proven or waived', (t) => {
  let done = 0;
  for (const ceremony of everywhere()) {
    if (nextStep(ceremony).state !== 'done') continue;
    done += 1;
    const { demand, account, here, before, rules } = ceremony;
    const reached = levelReached(rules.table, account.ial, authenticationLevel([...before, ...here], rules.weakCounts));
    if ((reached ?? 0) < demand.minimum) t.fail(JSON.stringify(ceremony));
    const { level } = statementOf(ceremony);
    if (level === undefined || level > (reached ?? 0)) t.fail(`told ${level}: ${JSON.stringify(ceremony)}`);
    // An essential level is told by name, or nothing is done (OpenID Connect Core 5.5.1.1).
    if (demand.essential && !demand.levels.includes(level!)) t.fail(`told ${level}: ${JSON.stringify(ceremony)}`);
  }
  t.true(done > 10_000, `${done} cases were done`);
});

test('C5 the top level is told of no session, only of what was proven for the request', (t) => {
  let told = 0;
  for (const ceremony of everywhere()) {
    if (nextStep(ceremony).state !== 'done' || statementOf(ceremony).level !== 4) continue;
    told += 1;
    if (nextStep({ ...ceremony, before: [...ceremony.before, ...ceremony.here], here: [] }).state === 'done') {
      const later = { ...ceremony, before: [...ceremony.before, ...ceremony.here], here: [] };
      if (statementOf(later).level === 4) t.fail(JSON.stringify(ceremony));
    }
  }
  t.true(told > 100, `${told} cases were told the top level`);
});

test('C3 what is told of a sign-in: methods by their names, and the age of the oldest proof', (t) => {
  const row = ROWS.find(({ situation }) => situation === 'level 3, the second factor just now')!;
  t.deepEqual(statementOf(row.ceremony), { level: 3, amr: ['pwd', 'mfa'], at: NOW - 3600 });
  const alone = ROWS.find(({ situation }) => situation === 'somebody with a session')!;
  t.deepEqual(statementOf(alone.ceremony), { level: 2, amr: ['pwd'], at: NOW - 3600 });
  const spared = ROWS.find(({ situation }) => situation === 'asked when bound, trusted device')!;
  t.deepEqual(statementOf(spared.ceremony), { level: 2, amr: ['pwd'], at: NOW }, 'trust in a device is no method');
});

test('C5 a level that was told once is worth what the identity is worth now', (t) => {
  t.is(levelLeft(RULES.table, 3, 2), 3);
  t.is(levelLeft(RULES.table, 3, 1), 1);
  t.is(levelLeft(RULES.table, 4, 2), 3);
  t.is(levelLeft(RULES.table, 2, 4), 2);
  t.is(levelOfAcr('urn:tongban:acr:3'), 3);
  for (const strange of [
    'urn:tongban:acr:5',
    'urn:tongban:acr:0',
    'urn:tongban:acr:33',
    '3',
    '',
    undefined,
    3,
    ['urn:tongban:acr:3'],
  ])
    t.is(levelOfAcr(strange), undefined, String(strange));
});
