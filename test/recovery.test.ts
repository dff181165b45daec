import test from 'ava';
import { UNAVAILABLE_ID_NUMBER } from '../src/proofing/sample-population-register.ts';
import { turnClock } from '../src/shared/clock.ts';
import { codeFor, codesFor, enrol, freshPhone, otherCode } from './support/enrolment.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { authorizationPath, callbackOf, PASSWORD, startServer, type TestServer } from './support/server.ts';
import { allTold, BAD, BROWSER, GOOD, HERE, oneTold } from './support/told-events.ts';
import { until } from './support/waiting.ts';

const CHEN = { idNumber: '449900200002290028', name: '陈雨桐' } as const;
const SUN = { idNumber: '339900199906300064', name: '孙丽' } as const;
const ZHAO = { idNumber: '339900199203170021', name: '赵雅琴' } as const;
const NEW_PASSWORD = 'nine green boats on the river';
const ROOMY = { limits: { registrationsPerAddress: 10_000, failuresPerAddress: 10_000 } } as const;
const WAIT = 86_400;

test.afterEach.always(() => turnClock(0));

interface Enrolled {
  readonly id: string;
  readonly phone: string;
}

/** Chen with an account and a phone. */
async function enrolled(server: TestServer, person = CHEN): Promise<Enrolled> {
  const phone = freshPhone();
  const page = await enrol(server.browser(), person, PASSWORD, { phone });
  if (page.status !== 201) throw new Error(String(page.status));
  const found = await server.house.persons.findByIdNumber(person.idNumber as never);
  return { id: found!.id, phone };
}

const pathOf = ({ location, url }: Page): string => new URL(location ?? url).pathname;

async function ask(browser: HttpBrowser, person: { readonly name: string; readonly idNumber: string }): Promise<Page> {
  await browser.get('/recover?new=1');
  const { name, idNumber } = person;
  return browser.submit({ name, idNumber }, '/recover');
}

/** From nothing to the page after the proof. */
async function proven(server: TestServer, browser: HttpBrowser, { phone }: Enrolled, person = CHEN): Promise<Page> {
  const seen = await codesFor(server.issuer, phone);
  await ask(browser, person);
  await browser.follow();
  await browser.submit({ code: await codeFor(server.issuer, phone, seen) }, '/recover/code');
  return browser.follow();
}

const choose = (browser: HttpBrowser, password = NEW_PASSWORD, passwordAgain = password): Promise<Page> =>
  browser.submit({ password, passwordAgain }, '/recover/password');

/** A browser that has the sign-in page before it. */
async function atSignIn(server: TestServer, browser = server.browser()): Promise<HttpBrowser> {
  await browser.get(authorizationPath(await server.addPortal()));
  await browser.follow();
  return browser;
}

const isSignedIn = async (browser: HttpBrowser, password: string): Promise<boolean> =>
  (await browser.submit({ identifier: CHEN.idNumber, password }, '/identify')).status === 303;

const canSignIn = async (server: TestServer, password: string, browser = server.browser()): Promise<boolean> =>
  isSignedIn(await atSignIn(server, browser), password);

const reasons = async (server: TestServer): Promise<readonly unknown[]> =>
  (await allTold(server, 'recovery.refused')).map(({ data }) => (data as { reason: string }).reason);

const bare = (page: Page): string => page.text.replace(/ value="[^"]*"/g, '');

test('who forgot the password sets a new one, back on the way to the portal; everything of before is over', async (t) => {
  const server = await startServer(t, ROOMY);
  const person = await enrolled(server);
  const portal = await server.addPortal();
  const elsewhere = server.browser();
  await server.signIn(elsewhere, portal, { identifier: CHEN.idNumber });
  t.is((await elsewhere.get('/account')).status, 200);

  const browser = server.browser(BROWSER);
  await browser.get(authorizationPath(portal));
  await browser.follow();
  const waiting = new URL(browser.page.url).pathname;
  const [, link = ''] = /href="(\/recover\?[^"]+)"/.exec(browser.page.text) ?? [];
  await browser.get(link.replaceAll('&amp;', '&'));
  const seen = await codesFor(server.issuer, person.phone);
  await browser.submit(CHEN, '/recover');
  await browser.follow();
  t.false(/\*{2}|192\d|\d{4}/.test(browser.page.text.replace(/<[^>]*>|12345/g, '')), 'no piece of a number is shown');
  const code = await codeFor(server.issuer, person.phone, seen);
  t.is((await browser.submit({ code: otherCode(code) }, '/recover/code')).status, 400);
  await browser.get(`/recover/code?continue=${waiting.split('/').at(-1)}&lang=zh-CN`);
  await browser.submit({ code }, '/recover/code');
  await browser.follow();
  t.is(new URL(browser.page.url).pathname, '/recover/password');
  t.is((await choose(browser, 'short')).status, 400);
  t.is((await choose(browser, NEW_PASSWORD, 'another')).status, 400);
  t.is((await choose(browser, `my number ${CHEN.idNumber}`)).status, 400);
  const done = await choose(browser);
  t.is(done.status, 200);
  t.true(done.text.includes(`href="${waiting}"`));

  t.is((await elsewhere.get('/account')).status, 303, 'the session of before is over');
  t.is((await server.house.database.all('SELECT 1 AS one FROM known_devices', [])).length, 0);
  t.false(await canSignIn(server, PASSWORD));
  await browser.get(waiting);
  await browser.submit({ identifier: CHEN.idNumber, password: NEW_PASSWORD }, '/identify');
  await browser.follow((url) => url.origin !== server.issuer);
  t.truthy(callbackOf(browser.page).searchParams.get('code') ?? callbackOf(browser.page).searchParams.get('error'));

  const about = { ...HERE, ...GOOD, subject: person.id, client: null };
  const data = { route: 'proofing' };
  const strip = ({ corr: _corr, ...rest }: Record<string, unknown>) => rest;
  t.deepEqual(strip(await oneTold('recovery.begun', {}, server)), { ...about, actor: 'anonymous', data });
  t.like(await oneTold('recovery.waiting', {}, server), { ...about, data: { ...data, seconds: 0 } });
  t.like(await oneTold('recovery.completed', {}, server), { ...about, data });
  t.like((await allTold(server, 'recovery.refused'))[0], {
    ...HERE,
    ...BAD,
    actor: 'anonymous',
    data: { ...data, reason: 'code_mismatch' },
  });
  const told = (await allTold(server, 'person.notified')).map(({ data }) => (data as { notice: string }).notice);
  t.deepEqual(told, ['recovery-completed']);
  t.true(await until(async () => (await server.browser().get('/mailbox')).text.includes('已经重设')));
});

test('D9 V13 V33 whoever is asked about, the answers are the same until a code is right', async (t) => {
  const server = await startServer(t, { ...ROOMY, recovery: { beginsPerNumber: 2 } });
  await enrolled(server);
  await enrolled(server, SUN as never);
  await server.addPerson(ZHAO);
  const disabled = await server.house.persons.findByIdNumber(SUN.idNumber as never);
  await server.house.persons.disable(disabled!.id, 'test');
  const walk = async (person: { readonly name: string; readonly idNumber: string }): Promise<readonly Page[]> => {
    const browser = server.browser();
    const pages: Page[] = [await ask(browser, person)];
    pages.push(await browser.follow());
    for (let guess = 0; guess < 6; guess += 1) pages.push(await browser.submit({ code: 'abcdef' }, '/recover/code'));
    pages.push(await browser.submit({}, '/recover/code/again'));
    pages.push(await browser.follow());
    return pages;
  };
  const known = await walk(CHEN);
  for (const [what, person] of [
    ['the wrong name', { ...CHEN, name: '王小明' }],
    ['nobody here', { idNumber: '339900196505120042', name: '吴秀英' }],
    ['a number nobody has', { idNumber: '339900197809230034', name: '没有人' }],
    ['no phone', ZHAO],
    ['disabled', SUN],
    ['asked too often', CHEN],
  ] as const) {
    const pages = await walk(person);
    for (const [at, page] of pages.entries()) {
      t.is(page.status, known[at]!.status, `${what} ${at}`);
      t.is(page.location, known[at]!.location, `${what} ${at}`);
      t.is(bare(page), bare(known[at]!), `${what} ${at}`);
      t.deepEqual(Object.keys(page.headers).sort(), Object.keys(known[at]!.headers).sort(), `${what} ${at}`);
    }
  }
  const why = new Set(await reasons(server));
  for (const reason of ['mismatch', 'unknown', 'no_channel', 'disabled', 'limited', 'code_mismatch', 'code_exhausted'])
    t.true(why.has(reason), reason);
});

/** The rows a recovery leaves, table by table. */
async function rowsIn({ house }: TestServer): Promise<Readonly<Record<string, number>>> {
  const counted: Record<string, number> = {};
  for (const table of ['recoveries', 'one_time_codes', 'outbox']) {
    const [row] = await house.database.all<{ rows: number }>(`SELECT count(*) AS rows FROM ${table}`, []);
    counted[table] = Number(row?.rows);
  }
  return counted;
}

test('D9 P6 asking about somebody and about nobody writes the same rows, nobody gets a message, and the quota bounds both', async (t) => {
  const server = await startServer(t, { ...ROOMY, messages: { perAccountDay: 2 } });
  await enrolled(server);
  await server.addPerson(ZHAO);
  const added = async (person: typeof CHEN | typeof SUN | typeof ZHAO): Promise<Readonly<Record<string, number>>> => {
    const before = await rowsIn(server);
    t.is((await ask(server.browser(), person)).status, 303);
    const after = await rowsIn(server);
    return Object.fromEntries(Object.entries(after).map(([table, count]) => [table, count - before[table]!]));
  };
  const first = await added(CHEN);
  t.deepEqual(first, { recoveries: 1, one_time_codes: 1, outbox: 1 });
  t.deepEqual(await added(SUN), first, 'nobody');
  t.deepEqual(await added(ZHAO), first, 'somebody who cannot be reached');
  t.deepEqual(await added({ ...CHEN, name: ZHAO.name } as never), first, 'the wrong name');
  const refused = await added(CHEN);
  t.deepEqual(refused, { recoveries: 1, one_time_codes: 1, outbox: 0 });
  await added(SUN);
  t.deepEqual(await added(SUN), refused, 'too many messages about nobody either');
  const settled =
    'SELECT topic, state, finished_at - created_at AS after FROM outbox WHERE payload LIKE $1 ORDER BY topic';
  const ended = () =>
    server.house.database.all<{ topic: string; state: string; after: number }>(settled, ['%code-recover%']);
  t.true(await until(async () => (await ended()).every(({ state }) => state === 'delivered')));
  t.deepEqual(
    (await ended()).map(({ topic }) => topic),
    ['message', 'message-to-nobody', 'message-to-nobody', 'message-to-nobody', 'message-to-nobody'],
  );
  t.true(
    (await ended()).every(({ after }) => Number(after) >= 1),
    'none while the answer is on its way',
  );
  t.is((await server.house.database.all('SELECT 1 AS one FROM messages', [])).length, 0, 'no code lies about');
  const told = (await allTold(server, 'message.delivered')).filter(
    ({ data }) => (data as { template: string }).template === 'code-recover',
  );
  t.is(told.length, 1, 'the ledger tells of what somebody got');
  t.deepEqual(await codesFor(server.issuer, '00000000'), [], 'and nobody got anything');
});

test('D6 V31 an address that asks too often is told so, and its allowance is that of sign-in', async (t) => {
  const server = await startServer(t, { limits: { failuresPerAddress: 2, registrationsPerAddress: 100 } });
  const browser = server.browser();
  t.is((await ask(browser, CHEN)).status, 303);
  t.is((await ask(browser, SUN)).status, 303);
  const refused = await ask(browser, ZHAO);
  t.is(refused.status, 429);
  t.regex(String(refused.headers['retry-after']), /^\d+$/);
  await server.addPerson(ZHAO);
  await browser.get(authorizationPath(await server.addPortal()));
  await browser.follow();
  t.is((await browser.submit({ identifier: ZHAO.idNumber, password: PASSWORD }, '/identify')).status, 429);
});

test('X12 a register that does not answer is no mismatch', async (t) => {
  const server = await startServer(t, ROOMY);
  const page = await ask(server.browser(), { name: CHEN.name, idNumber: UNAVAILABLE_ID_NUMBER });
  t.is(page.status, 503);
  t.deepEqual(await reasons(server), []);
});

test.serial('during the pause every channel is told, and one sign-in with the old password stops it', async (t) => {
  const server = await startServer(t, { ...ROOMY, recovery: { waitSeconds: WAIT } });
  const person = await enrolled(server);
  const browser = server.browser();
  await proven(server, browser, person);
  t.is(new URL(browser.page.url).pathname, '/recover/waiting');
  t.true(await until(async () => (await server.browser().get('/mailbox')).text.includes('用原密码登录一次')));
  t.is(pathOf(await browser.get('/recover/password')), '/recover/waiting', 'not before its time');
  const token = hiddenField(await browser.get('/recover?new=1'));
  const early = await browser.post('/recover/password', {
    form_token: token,
    password: NEW_PASSWORD,
    passwordAgain: NEW_PASSWORD,
  });
  t.is(early.status, 303);
  t.true(await canSignIn(server, PASSWORD));
  t.is((await browser.get('/recover/waiting')).status, 409, 'cancelled');
  t.like(await oneTold('recovery.cancelled', {}, server), {
    ...GOOD,
    subject: person.id,
    data: { cause: 'signed_in' },
  });
  const told = (await allTold(server, 'person.notified')).map(({ data }) => (data as { notice: string }).notice);
  t.deepEqual(told, ['recovery-begun', 'recovery-cancelled']);
  turnClock((WAIT + 10) * 1000);
  t.is((await browser.get('/recover/password')).status, 409, 'and it stays so');
  turnClock(0);
  t.true(await canSignIn(server, PASSWORD));
});

test.serial('after the pause the same browser sets the password, for as long as there is time', async (t) => {
  const server = await startServer(t, { ...ROOMY, recovery: { waitSeconds: WAIT, finishSeconds: 3600 } });
  const person = await enrolled(server);
  const [browser, late] = [server.browser(), server.browser()];
  await proven(server, browser, person);
  turnClock(2000);
  await proven(server, late, person);
  turnClock((WAIT + 10) * 1000);
  t.is(pathOf(await browser.get('/recover')), '/recover/password');
  await browser.follow();
  t.is((await choose(browser)).status, 200);
  t.is((await late.get('/recover/password')).status, 409, 'the other one ends with it');
  turnClock(0);
  t.true(await canSignIn(server, NEW_PASSWORD));
  turnClock((WAIT + 3700) * 1000);
  t.is((await browser.get('/recover/password')).status, 410);
  t.true((await server.house.reaching.recoveries.sweep(10)) > 0);
});

test('F2 a frozen account opens again by proving anew who one is, and an account that is disabled does not', async (t) => {
  const server = await startServer(t, ROOMY);
  const person = await enrolled(server);
  const { persons } = server.house;
  await persons.freeze(person.id, 'watch');
  t.false(await canSignIn(server, PASSWORD));
  const browser = server.browser();
  await proven(server, browser, person);
  t.is((await choose(browser)).status, 200);
  t.is((await persons.profile(person.id))?.status, 'active');
  t.like(await oneTold('person.enabled', {}, server), { data: { origin: 'recovery' } });
  t.true(await canSignIn(server, NEW_PASSWORD));

  await proven(server, browser, person);
  await persons.disable(person.id, 'test');
  t.is((await choose(browser)).status, 410);
  t.is((await persons.profile(person.id))?.status, 'disabled');
});

test('V3 V12 V53 no step is skipped, repeated or taken in another browser', async (t) => {
  const server = await startServer(t, ROOMY);
  const person = await enrolled(server);
  const browser = server.browser();
  const seen = await codesFor(server.issuer, person.phone);
  await ask(browser, CHEN);
  await browser.follow();
  const token = hiddenField(browser.page);
  const passwords = { password: NEW_PASSWORD, passwordAgain: NEW_PASSWORD };
  t.is((await browser.post('/recover/password', { form_token: token, ...passwords })).status, 303);
  t.is(pathOf(browser.page), '/recover/code');
  const code = await codeFor(server.issuer, person.phone, seen);
  const other = server.browser();
  await other.get('/recover');
  const theirs = { form_token: hiddenField(other.page), code };
  t.is((await other.post('/recover/code', theirs)).status, 410);
  const cookie = browser.cookies().find(({ name }) => name.endsWith('recovery'))!;
  other.setCookie('/', `${cookie.name}=${cookie.value}; Path=/`);
  t.is((await other.post('/recover/code', theirs)).status, 400, 'the code is bound to the browser it was asked for in');
  const pages = await Promise.all(
    Array.from({ length: 3 }, () => clone(server, browser).post('/recover/code', { form_token: token, code })),
  );
  t.is(pages.filter((page) => pathOf(page) === '/recover/password' && page.status === 303).length >= 1, true);
  const ends = await Promise.all(
    Array.from({ length: 4 }, () =>
      clone(server, browser).post('/recover/password', { form_token: token, ...passwords }),
    ),
  );
  t.is(ends.filter(({ status }) => status === 200).length, 1);
  t.is((await server.events('recovery.completed')).length, 1);
  t.is((await server.events('recovery.waiting')).length, 1);
  t.is((await browser.post('/recover/password', { form_token: token, ...passwords })).status, 410);
});

function clone(server: TestServer, browser: HttpBrowser): HttpBrowser {
  const copy = server.browser();
  for (const { name, value } of browser.cookies()) copy.setCookie('/', `${name}=${value}; Path=/`);
  return copy;
}

const endings = async (server: TestServer) => ({
  completed: (await server.events('recovery.completed')).length,
  cancelled: (await server.events('recovery.cancelled')).length,
});

test('who cancels and who completes at the same moment cannot both succeed', async (t) => {
  const server = await startServer(t, ROOMY);
  const person = await enrolled(server);
  let password = PASSWORD;
  for (let round = 0; round < 4; round += 1) {
    const browser = server.browser();
    await proven(server, browser, person);
    const other = await atSignIn(server);
    const before = await endings(server);
    const [signedIn, page] = await Promise.all([
      isSignedIn(other, password),
      choose(browser, `${NEW_PASSWORD} ${round}`),
    ]);
    const after = await endings(server);
    const isCompleted = after.completed > before.completed;
    t.is(after.completed + after.cancelled, before.completed + before.cancelled + 1, 'one of the two, and never both');
    t.is(page.status === 200, isCompleted);
    if (isCompleted) password = `${NEW_PASSWORD} ${round}`;
    else t.true(signedIn, 'only a sign-in stops it');
  }
  t.true(await canSignIn(server, password));
});

test('E2 A26 forms of other sites change nothing, and the way back leads to a sign-in of ours alone', async (t) => {
  const server = await startServer(t, ROOMY);
  const browser = server.browser();
  await browser.get('/recover');
  const fields = { ...CHEN, form_token: hiddenField(browser.page) };
  t.is((await browser.post('/recover', fields, { origin: 'https://evil.cn' })).status, 403);
  t.is((await browser.post('/recover', { ...fields, form_token: '' })).status, 403);
  t.is((await browser.post('/recover', { ...fields, continue: 'https://evil.cn' })).status, 400);
  t.is((await browser.post('/recover', { ...fields, ial: '4' })).status, 400);
  const page = await browser.get('/recover?continue=//evil.cn');
  t.notRegex(page.text, /href="[^"?]*evil|name="continue"/);
});

test('V36 where recovery is off there is no page, and sign-in does not speak of it', async (t) => {
  const server = await startServer(t, { recovery: { enabled: false } });
  for (const path of ['/recover', '/recover/code', '/recover/with-code', '/recover/password'])
    t.is((await server.browser().get(path)).status, 404, path);
  const browser = server.browser();
  await browser.get(authorizationPath(await server.addPortal()));
  t.false((await browser.follow()).text.includes('/recover'));
});
