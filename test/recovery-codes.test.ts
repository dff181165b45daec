import test from 'ava';
import { hmacKey } from '../src/crypto/digests.ts';
import { createRecoveryCodes } from '../src/factors/recovery-codes.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { authorizationPath, LI, PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';
import { allTold, GOOD, oneTold } from './support/told-events.ts';

const NEW_PASSWORD = 'nine green boats on the river';
const KEY = hmacKey(Buffer.alloc(32, 9));

for (const [name, open, declare] of [
  ['SQLite', sqliteDatabase, embeddedTest],
  ['PostgreSQL', postgresDatabase, postgresTest],
] as const) {
  declare.serial(`D12 ten codes of eighty bits, each once, also for fifty at once (${name})`, async (t) => {
    const database = await open(t);
    const codes = createRecoveryCodes({ database, key: KEY });
    const made = await database.write((tx) => codes.make(tx, 'psn_1'));
    t.is(new Set(made).size, 10);
    for (const code of made) t.regex(code, /^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
    const [first = '', second = ''] = made;
    const redeem = (person: string | undefined, code: string) => database.write((tx) => codes.redeem(tx, person, code));
    t.false(await redeem('psn_2', first), 'somebody else’s');
    t.false(await redeem(undefined, first));
    const spent = await Promise.all(Array.from({ length: 50 }, () => redeem('psn_1', first)));
    t.is(spent.filter(Boolean).length, 1);
    t.true(
      await redeem('psn_1', ` ${second.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')} `),
    );
    t.is((await codes.stock('psn_1'))?.left, 8);
    await database.write((tx) => codes.make(tx, 'psn_1'));
    t.false(await redeem('psn_1', made[2]!), 'the old ones are void');
    t.is((await codes.stock('psn_1'))?.left, 10);
    t.is(await codes.stock('psn_2'), undefined);
    const stored = JSON.stringify(await database.all('SELECT * FROM recovery_codes', []));
    for (const code of made) t.false(stored.includes(code.replaceAll('-', '')));
  });
}

/** Somebody signed in with codes just made; resolves with what the page showed. */
async function withCodes(server: TestServer, browser: HttpBrowser): Promise<readonly string[]> {
  await server.signIn(browser, await server.addPortal());
  await browser.get('/account/recovery-codes');
  const page = await browser.submit({}, '/account/recovery-codes');
  return [...page.text.matchAll(/<li>([0-9A-Z-]{19})<\/li>/g)].map(([, code = '']) => code);
}

async function recover(server: TestServer, identifier: string, recoveryCode: string): Promise<HttpBrowser> {
  const browser = server.browser();
  await browser.get('/recover/with-code');
  await browser.submit({ identifier, recoveryCode }, '/recover/with-code');
  return browser;
}

const bare = (page: Page): string => page.text.replace(/ value="[^"]*"/g, '');

test('D12 codes are shown once, and one of them sets a new password', async (t) => {
  const server = await startServer(t);
  const wang = await server.addPerson(WANG);
  const browser = server.browser();
  const codes = await withCodes(server, browser);
  t.is(codes.length, 10);
  t.is(browser.page.headers['cache-control'], 'no-store');
  const again = await browser.get('/account/recovery-codes');
  t.false(codes.some((code) => again.text.includes(code)));
  t.true(again.text.includes('还有 10 个'));
  t.like(await oneTold('recovery-codes.made', {}, server), { ...GOOD, subject: wang, data: { count: 10 } });
  t.like(await oneTold('person.notified', {}, server), { subject: wang, data: { notice: 'recovery-codes-made' } });

  const lost = await recover(server, WANG.idNumber, codes[0]!.toLowerCase());
  t.is(lost.page.status, 303);
  await lost.follow();
  const done = await lost.submit({ password: NEW_PASSWORD, passwordAgain: NEW_PASSWORD }, '/recover/password');
  t.is(done.status, 200);
  t.is((await browser.get('/account')).status, 303, 'sessions are over');
  const callback = await server.signIn(server.browser(), await server.addPortal(), { password: NEW_PASSWORD });
  t.truthy(callback.searchParams.get('code'));
  t.like(await oneTold('recovery-code.used', {}, server), { ...GOOD, subject: wang });
  t.like(await oneTold('recovery.completed', {}, server), { data: { route: 'code' } });
  t.is((await recover(server, WANG.idNumber, codes[0]!)).page.status, 400, 'each works once');
});

test('D9 V31 unknown, wrong, used, frozen and locked are one answer, and codes share the attempts of sign-in', async (t) => {
  const server = await startServer(t, { limits: { failuresPerAccount: 3, failuresPerAddress: 1000 } });
  const wang = await server.addPerson(WANG);
  await server.addPerson(LI);
  const codes = await withCodes(server, server.browser());
  const unknown = (await recover(server, '339900196505120042', codes[0]!)).page;
  t.is(unknown.status, 400);
  const answers = [(await recover(server, LI.idNumber, codes[0]!)).page];
  await server.house.persons.freeze(wang, 'watch');
  answers.push((await recover(server, WANG.idNumber, codes[1]!)).page);
  await server.house.persons.unfreeze(wang, 'test', 'test');
  for (let guess = 0; guess < 3; guess += 1) answers.push((await recover(server, WANG.idNumber, 'AAAA')).page);
  answers.push((await recover(server, WANG.idNumber, codes[2]!)).page);
  for (const page of answers) {
    t.is(page.status, 400);
    t.is(bare(page), bare(unknown));
  }
  const browser = server.browser();
  await browser.get(authorizationPath(await server.addPortal()));
  await browser.follow();
  const locked = await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  t.is(locked.status, 401, 'whoever guessed at codes has used up the attempts at the password');
  const told = new Set(
    (await allTold(server, 'recovery.refused')).map(({ data }) => (data as { reason: string }).reason),
  );
  for (const reason of ['unknown', 'mismatch', 'frozen', 'locked']) t.true(told.has(reason), reason);
});

test('E2 the codes are made by nobody else’s form, and for nobody who is not signed in', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  t.is((await server.browser().get('/account/recovery-codes')).status, 303);
  const browser = server.browser();
  await server.signIn(browser, await server.addPortal());
  await browser.get('/account/recovery-codes');
  const fields = { form_token: hiddenField(browser.page) };
  t.is((await browser.post('/account/recovery-codes', fields, { origin: 'https://evil.cn' })).status, 403);
  t.is((await browser.post('/account/recovery-codes', { form_token: '' })).status, 403);
  t.is((await server.events('recovery-codes.made')).length, 0);
});
