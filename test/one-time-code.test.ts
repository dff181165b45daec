import { hmacKey } from '../src/crypto/digests.ts';
import { type CheckOutcome, createOneTimeCodes, type OneTimeCodes } from '../src/factors/one-time-code.ts';
import { turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';

const LIMITS = { lifetimeSeconds: 300, attemptsMax: 5, sendsMax: 3, resendSeconds: 60 };
const HERE = { purpose: 'register', binding: 'draft-1', browser: 'browser-1' } as const;

const codesOf = (database: Database): OneTimeCodes =>
  createOneTimeCodes({ database, key: hmacKey(Buffer.alloc(32, 7)), limits: LIMITS });

async function issued(database: Database, codes: OneTimeCodes, bound: Parameters<OneTimeCodes['issue']>[1] = HERE) {
  const outcome = await database.write((tx) => codes.issue(tx, bound));
  if (outcome.state !== 'issued') throw new Error(outcome.state);
  return outcome.code;
}

const other = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0');
const spend = (database: Database, outcome: CheckOutcome): Promise<boolean> =>
  outcome.state === 'match' ? database.write((tx) => outcome.consume(tx)) : Promise.resolve(false);

for (const [name, open, declare] of [
  ['SQLite', sqliteDatabase, embeddedTest],
  ['PostgreSQL', postgresDatabase, postgresTest],
] as const) {
  declare.serial(`D11 a code works once, however it is typed (${name})`, async (t) => {
    const database = await open(t);
    const codes = codesOf(database);
    const code = await issued(database, codes);
    t.regex(code, /^\d{6}$/);
    const wide = Array.from(code, (digit) => String.fromCodePoint(0xff10 + Number(digit))).join(' ');
    const outcome = await codes.check(HERE, ` ${wide} `);
    t.is(outcome.state, 'match');
    t.true(await spend(database, outcome));
    t.false(await spend(database, outcome));
    t.is((await codes.check(HERE, code)).state, 'expired');
  });

  declare(
    `D7 V21 a hundred guesses at once get five verdicts, and the right code then comes too late (${name})`,
    async (t) => {
      const database = await open(t);
      const codes = codesOf(database);
      const code = await issued(database, codes);
      const states = await Promise.all(
        Array.from({ length: 100 }, async () => (await codes.check(HERE, other(code))).state),
      );
      t.is(states.filter((state) => state === 'mismatch').length, 5);
      t.is(states.filter((state) => state === 'exhausted').length, 95);
      t.is((await codes.check(HERE, code)).state, 'exhausted');
    },
  );

  declare.serial(`D11 of many that enter the right code at once one goes on (${name})`, async (t) => {
    const database = await open(t);
    const codes = codesOf(database);
    const code = await issued(database, codes);
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => codes.check(HERE, code)));
    const spent = await Promise.all(outcomes.map((outcome) => spend(database, outcome)));
    t.is(spent.filter(Boolean).length, 1);
  });

  declare.serial(`D11 of many that ask for a code at once one is sent (${name})`, async (t) => {
    const database = await open(t);
    const codes = codesOf(database);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => database.write((tx) => codes.issue(tx, HERE))));
    t.deepEqual(outcomes.map(({ state }) => state).sort(), ['issued', ...Array(7).fill('tooSoon')]);
  });
}

embeddedTest('D11 a code is good for its purpose, its draft and its browser alone', async (t) => {
  const database = await sqliteDatabase(t);
  const codes = codesOf(database);
  const code = await issued(database, codes);
  for (const elsewhere of [{ purpose: 'recover' }, { binding: 'draft-2' }, { browser: 'browser-2' }] as const) {
    t.not((await codes.check({ ...HERE, ...elsewhere }, code)).state, 'match', JSON.stringify(elsewhere));
  }
  t.is((await codes.check(HERE, code)).state, 'match');
  for (const nothing of ['', 'abcdef', '1234567', '٠١٢٣٤٥', `${code}0`]) {
    t.not((await codes.check(HERE, nothing)).state, 'match', nothing);
    await database.run('UPDATE one_time_codes SET attempts = 0', []);
  }
});

embeddedTest.serial('D11 a code ends with its time, another needs a pause, and there are only so many', async (t) => {
  t.teardown(() => turnClock(0));
  const database = await sqliteDatabase(t);
  const codes = codesOf(database);
  const again = () => database.write((tx) => codes.issue(tx, HERE));
  const first = await issued(database, codes);
  t.is((await again()).state, 'tooSoon');
  turnClock(61_000);
  const second = await issued(database, codes);
  if (first !== second) t.is((await codes.check(HERE, first)).state, 'mismatch', 'the one before is void');
  turnClock(361_000 + 1000);
  t.is((await codes.check(HERE, second)).state, 'expired');
  await issued(database, codes);
  turnClock(500_000);
  t.is((await again()).state, 'exhausted');
  turnClock(10_000_000);
  t.is(await codes.sweep(10), 1);
});

embeddedTest('H5 the store holds no code, and a code is as likely as any other', async (t) => {
  const database = await sqliteDatabase(t);
  const codes = codesOf(database);
  const seen = new Set<string>();
  for (let round = 0; round < 60; round += 1) {
    const code = await issued(database, codes, { ...HERE, binding: `draft-${round}` });
    seen.add(code);
    const rows = await database.all('SELECT * FROM one_time_codes', []);
    t.false(JSON.stringify(rows).includes(code));
  }
  t.true(seen.size > 55);
  t.true([...seen].some((code) => code > '500000') && [...seen].some((code) => code < '500000'));
});
