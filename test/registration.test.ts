import test from 'ava';
import { UNAVAILABLE_ID_NUMBER } from '../src/proofing/sample-population-register.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { authorizationPath, callbackOf, LI, PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';

const CHEN = { idNumber: '449900200002290028', name: '陈雨桐' } as const;
const ZHAO = { idNumber: '339900199203170021', name: '赵雅琴' } as const;
const WU = { idNumber: '339900196505120042', name: '吴秀英' } as const;
const ZHENG = { idNumber: '339900200408150054', name: '郑浩然' } as const;
const ZHOU = { idNumber: '339900197809230034', name: '周建国' } as const;

let server: TestServer;

test.before(async () => {
  server = await startServer(undefined, { limits: { registrationsPerAddress: 10_000 } });
  await server.addPerson(WANG);
});
test.after.always(() => server.stop());

async function register(
  fields: Record<string, string>,
  browser: HttpBrowser = server.browser(),
  headers?: Record<string, string>,
  path = '/register',
): Promise<Page> {
  await browser.get(path);
  const filled = { name: CHEN.name, idNumber: CHEN.idNumber, password: PASSWORD, passwordAgain: PASSWORD, ...fields };
  if (headers === undefined) return browser.submit(filled, '/register');
  const token = hiddenField(browser.page);
  return browser.post('/register', { ...filled, form_token: token }, headers);
}

/** Where the page's own switch of language or type size leads. */
function displayLink(page: Page, choice: 'lang' | 'text'): string {
  const links = [...page.text.matchAll(/href="(\/register\?[^"]*)"/g)].map(([, link = '']) =>
    link.replaceAll('&amp;', '&'),
  );
  const found = links.find((link) => new URL(link, page.url).searchParams.has(choice));
  if (found === undefined) throw new Error(`no switch of ${choice} on ${page.url}`);
  return found;
}

/** A page without what differs from one showing to the next. */
const bare = (page: Page): string =>
  page.text.replace(/name="form_token" value="[^"]*"/, '').replace(/ value="[^"]*"/g, '');

test('S4 who matches the register opens an account and signs in with it', async (t) => {
  const browser = server.browser();
  const page = await register({ idNumber: LI.idNumber, name: LI.name }, browser);
  t.is(page.status, 201);
  t.false(page.text.includes(LI.idNumber), 'F6');
  const portal = await server.addPortal();
  t.truthy((await server.signIn(server.browser(), portal, { identifier: LI.idNumber })).searchParams.get('code'));
});

test('who registers in the middle of a sign-in goes back to it, and ends at the portal', async (t) => {
  const portal = await server.addPortal();
  const browser = server.browser();
  await browser.get(authorizationPath(portal));
  await browser.follow();
  const waiting = new URL(browser.page.url).pathname;
  const [, link = ''] = /href="(\/register\?[^"]+)"/.exec(browser.page.text) ?? [];
  const page = await register({ idNumber: ZHOU.idNumber, name: 'wrong' }, browser, undefined, link);
  t.is(page.status, 400);
  t.true(page.text.includes(`href="${waiting}"`), 'the way back stands on the form as well');
  const done = await browser.submit(
    { name: ZHOU.name, idNumber: ZHOU.idNumber, password: PASSWORD, passwordAgain: PASSWORD },
    '/register',
  );
  t.is(done.status, 201);
  t.true(done.text.includes(`href="${waiting}"`));
  await browser.get(waiting);
  await browser.submit({ identifier: ZHOU.idNumber, password: PASSWORD }, '/identify');
  await browser.follow((url) => url.origin !== server.issuer);
  await browser.submit({ decision: 'allow' }, '/consent');
  await browser.follow((url) => url.origin !== server.issuer);
  t.truthy(callbackOf(browser.page).searchParams.get('code'));
});

for (const [choice, chosen, before, person] of [
  ['lang', 'lang="en"', 'lang="zh-CN"', WU],
  ['text', 'data-text="large"', 'data-text="normal"', ZHENG],
] as const) {
  test(`a change of ${choice} on a refused form or after registering keeps the sign-in that waits`, async (t) => {
    const browser = server.browser();
    await browser.get(authorizationPath(await server.addPortal()));
    await browser.follow();
    const waiting = new URL(browser.page.url).pathname;
    const [, link = ''] = /href="(\/register\?[^"]+)"/.exec(browser.page.text) ?? [];
    const change = async (expected: string) => {
      const page = await browser.get(displayLink(browser.page, choice));
      t.is(page.status, 200);
      t.regex(page.text, new RegExp(`<html[^>]* ${expected}`));
      t.true(page.text.includes(`href="${waiting}"`), 'the way back stands on the form');
    };

    t.is((await register({ idNumber: person.idNumber, name: 'wrong' }, browser, undefined, link)).status, 400);
    await change(chosen);
    await change(before);
    const done = await browser.submit(
      { name: person.name, idNumber: person.idNumber, password: PASSWORD, passwordAgain: PASSWORD },
      '/register',
    );
    t.is(done.status, 201);
    t.true(done.text.includes(`href="${waiting}"`), 'and the form has sent it along');
    await change(chosen);

    await browser.get(waiting);
    await browser.submit({ identifier: person.idNumber, password: PASSWORD }, '/identify');
    await browser.follow((url) => url.origin !== server.issuer);
    await browser.submit({ decision: 'allow' }, '/consent');
    await browser.follow((url) => url.origin !== server.issuer);
    t.truthy(callbackOf(browser.page).searchParams.get('code'));
  });
}

test('a change of language on a refused form that nobody waits for invents no way back', async (t) => {
  const browser = server.browser();
  t.is((await register({ name: ' ' }, browser)).status, 400);
  t.is(displayLink(browser.page, 'lang'), '/register?lang=en');
  const page = await browser.get('/register?lang=en');
  t.true(page.text.includes('href="/account"'));
  t.false(page.text.includes('name="continue"'));
});

test('A26 registering goes on nowhere but at a sign-in of ours', async (t) => {
  const uid = 'u'.repeat(43);
  const browser = server.browser();
  for (const target of [
    'https://evil.cn',
    '//evil.cn',
    '/account',
    `../${uid}`,
    `${uid}/..`,
    `${uid}\n`,
    `${uid}u`,
    `%2e%2e${uid}`,
    '',
  ]) {
    const page = await browser.get(`/register?${new URLSearchParams({ continue: target })}`);
    t.is(page.status, 200, target);
    t.true(page.text.includes('href="/account"'), target);
    t.false(page.text.includes('name="continue"'), target);
    t.is((await register({ continue: target })).status, 400, target);
  }
  const twice = await browser.get(`/register?continue=${uid}&continue=${uid}`);
  t.true(twice.text.includes('href="/account"'));
});

test('D9 V13 V36 a number that has an account is answered like one that does not match', async (t) => {
  const taken = await register({ idNumber: WANG.idNumber, name: WANG.name });
  const wrongName = await register({ idNumber: ZHAO.idNumber, name: WANG.name });
  t.is(taken.status, 400);
  t.is(wrongName.status, 400);
  t.is(bare(taken), bare(wrongName));
  t.deepEqual(Object.keys(taken.headers).sort(), Object.keys(wrongName.headers).sort());
  const portal = await server.addPortal();
  const callback = await server.signIn(server.browser(), portal);
  t.truthy(callback.searchParams.get('code'), 'the password of the person who was there first still holds');
});

test('X12 a register that does not answer is no mismatch', async (t) => {
  const page = await register({ idNumber: UNAVAILABLE_ID_NUMBER, name: CHEN.name });
  t.is(page.status, 503);
  t.not(bare(page), bare(await register({ idNumber: ZHAO.idNumber, name: WANG.name })));
});

test('D3 S1 a weak password, two different ones, a wrong number or no name are told at their field', async (t) => {
  for (const [fields, field] of [
    [{ password: 'short', passwordAgain: 'short' }, 'password'],
    [{ password: '12345678', passwordAgain: '12345678' }, 'password'],
    [{ password: CHEN.idNumber, passwordAgain: CHEN.idNumber }, 'password'],
    [{ password: 'a'.repeat(257), passwordAgain: 'a'.repeat(257) }, 'password'],
    [{ passwordAgain: 'something else' }, 'passwordAgain'],
    [{ idNumber: '449900200002290029' }, 'idNumber'],
    [{ idNumber: '' }, 'idNumber'],
    [{ name: ' ' }, 'name'],
  ] as const) {
    const page = await register(fields);
    t.is(page.status, 400, JSON.stringify(fields));
    t.true(page.text.includes(`id="${field}-problem"`), `${JSON.stringify(fields)} ${field}`);
    t.false(page.text.includes('something else'), 'no password comes back');
  }
});

test('E2 a form from another site, without a token or with somebody else’s opens nothing', async (t) => {
  t.is((await register({}, server.browser(), { origin: 'https://evil.cn' })).status, 403);
  t.is((await register({}, server.browser(), { 'sec-fetch-site': 'cross-site' })).status, 403);
  t.is((await register({ form_token: '' })).status, 403);
  const [mine, theirs] = [server.browser(), server.browser()];
  await mine.get('/register');
  const token = hiddenField(mine.page);
  t.is((await register({ form_token: token }, theirs)).status, 403);
});

test('F5 G5 fields nobody asked for, or sent twice, are refused', async (t) => {
  for (const name of ['ial', 'status', 'constructor', 'toString', '']) {
    t.is((await register({ [name]: '4' })).status, 400, name);
  }
});

test('E7 what was typed comes back as text', async (t) => {
  const page = await register({ name: '"><script>alert(1)</script>', idNumber: '"><b>' });
  t.is(page.status, 400);
  t.false(page.text.includes('<script>alert'));
  t.false(page.text.includes('"><b>'));
});

test('X6 one address opens only so many accounts, whatever becomes of them', async (t) => {
  const strict = await startServer(t, { limits: { registrationsPerAddress: 2 } });
  const attempt = async () => {
    const browser = strict.browser();
    await browser.get('/register');
    return browser.submit(
      { name: CHEN.name, idNumber: ZHAO.idNumber, password: PASSWORD, passwordAgain: PASSWORD },
      '/register',
    );
  };
  t.deepEqual([(await attempt()).status, (await attempt()).status], [400, 400]);
  const refused = await attempt();
  t.is(refused.status, 429);
  t.regex(String(refused.headers['retry-after']), /^\d+$/);
});

test('G1 one person opens one account, also twenty times at once', async (t) => {
  const pages = await Promise.all(Array.from({ length: 20 }, () => register({})));
  t.is(pages.filter(({ status }) => status === 201).length, 1);
  t.true(pages.every(({ status }) => status === 201 || status === 400 || status === 503));
});

test('V36 where registration is off there is no page and no way around it', async (t) => {
  const closed = await startServer(t, { registration: { enabled: false } });
  t.is((await closed.browser().get('/register')).status, 404);
  const page = await closed.browser().post('/register', { name: CHEN.name, idNumber: CHEN.idNumber });
  t.true(page.status === 404 || page.status === 405);
});
