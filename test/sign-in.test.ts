import test from 'ava';
import { decodeJwt } from 'jose';
import type { IdNumber } from '../src/people/id-number.ts';
import { maskIdNumber } from '../src/people/masking.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { answerOf, arrive, ROOMY, tokensOf } from './support/portal-calls.ts';
import {
  authorizationPath,
  LI,
  PASSWORD,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';

let server: TestServer;
let portal: TestPortal;

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  await server.addPerson(LI);
  portal = await server.addPortal();
});
test.after.always(() => server.stop());

/** Opens a sign-in page; resolves with the address of its ceremony. */
async function open(browser: HttpBrowser, query: Record<string, string> = {}, client = portal): Promise<string> {
  await browser.get(authorizationPath(client, query));
  return new URL((await browser.follow()).url).pathname;
}

const credentials = (identifier: string = WANG.idNumber) => ({ identifier, password: PASSWORD });

test('G1 one person, however the number is written', async (t) => {
  const forms = [
    '３３９９００１９９００１０１１０１４',
    ' 339900 19900101 1014 ',
    '339900\u200b199001011014\u200e',
    '339900900101101',
    '\uff13\uff13990019900101101\uff14',
  ];
  const subs = new Set<unknown>();
  for (const identifier of [WANG.idNumber, ...forms]) {
    const browser = server.browser();
    const callback = await server.signIn(browser, portal, { identifier });
    const { status, body } = await server.token(portal, redemption(callback));
    t.is(status, 200, identifier);
    subs.add(decodeJwt(String(body.id_token)).sub);
  }
  t.is(subs.size, 1);
  for (const identifier of ['33990019850701009x', '33990019850701009Ｘ', '33990019850701009ｘ']) {
    const callback = await server.signIn(server.browser(), portal, { identifier });
    t.truthy(callback.searchParams.get('code'), identifier);
  }
  for (const identifier of ['٣٣٩٩٠٠١٩٩٠٠١٠١١٠١٤', '3399OO199001011014', '33990019850701009Х']) {
    const browser = server.browser();
    await open(browser);
    t.is((await browser.submit({ identifier, password: PASSWORD }, '/identify')).status, 400, identifier);
  }
});

test('V4 V53 a ceremony opened in another browser binds nobody: neither its page nor its posts', async (t) => {
  const attacker = server.browser();
  const address = await open(attacker);
  const stolen = hiddenField(attacker.page);
  const victim = server.browser();
  const page = await victim.get(address);
  t.is(page.status, 400);
  t.false(page.text.includes('name="password"'));
  t.is((await victim.post(`${address}/identify`, { form_token: stolen, ...credentials() })).status, 400);

  await open(victim);
  t.is((await victim.get(address)).status, 400, 'also with a ceremony of their own under way');
  const mixed = await victim.post(`${address}/identify`, { form_token: stolen, ...credentials() });
  t.true(mixed.status === 400 || mixed.status === 403);
  for (const { name, value } of victim.cookies().filter(({ name }) => name.startsWith('tongban_ceremony'))) {
    victim.setCookie(server.issuer, `${name}=${value}; Path=/`);
  }
  const own = await victim.get(address);
  t.is(own.status, 400, 'nor does a cookie of theirs open it, wherever it is sent');
  await attacker.get(address.replace('/interaction/', '/auth/'));
  t.is(attacker.cookie('tongban') === undefined || answerOf(attacker.page).get('code') === null, true);
});

test('V3 V5 steps out of order lead nowhere', async (t) => {
  const browser = server.browser();
  const address = await open(browser);
  const form_token = hiddenField(browser.page);
  for (const [step, fields] of [
    ['consent', { decision: 'allow' }],
    ['continue-as', { decision: 'continue' }],
    ['consent', { decision: 'continue' }],
    ['identify', { decision: 'allow' }],
    ['cancel', {}],
    ['done', { decision: 'allow' }],
  ] as const) {
    const page = await browser.post(`${address}/${step}`, { form_token, ...fields });
    t.true(page.status >= 400 && page.status < 500, `${step} ${page.status}`);
  }
  await browser.get(address.replace('/interaction/', '/auth/'));
  await browser.follow((url) => url.origin !== server.issuer);
  t.is(answerOf(browser.page).get('code'), null, 'the answer is not there before the proof');

  const proven = server.browser();
  const second = await open(proven, {}, await server.addPortal());
  const first = hiddenField(proven.page);
  await proven.submit(credentials(), '/identify');
  await proven.follow((url) => url.origin !== server.issuer);
  t.true(proven.page.text.includes('/consent"'));
  const again = await proven.post(`${second}/identify`, { form_token: first, ...credentials(LI.idNumber) });
  t.true(again.status >= 400, 'a step that is over does not come back');
});

test('E2 V48 F5 a sign-in form counts only from our page, in this browser, for this ceremony, with the fields it has', async (t) => {
  const browser = server.browser();
  const address = await open(browser);
  const form_token = hiddenField(browser.page);
  const other = server.browser();
  await open(other);
  const post = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
    browser.post(`${address}/identify`, fields, headers);
  t.is((await post({ form_token, ...credentials() }, { origin: 'https://evil.cn' })).status, 403);
  t.is((await post({ form_token, ...credentials() }, { 'sec-fetch-site': 'cross-site' })).status, 403);
  t.is((await post({ form_token, ...credentials() }, { 'sec-fetch-site': 'same-site' })).status, 403);
  t.is((await post({ form_token: '', ...credentials() })).status, 403);
  t.is((await post({ form_token: hiddenField(other.page), ...credentials() })).status, 403);
  t.is((await post(credentials())).status, 400);
  t.is((await post({ form_token, ...credentials(), accountId: 'x' })).status, 400);
  t.is((await post({ form_token, ...credentials() }, { 'content-type': 'text/plain' })).status, 400);
  t.is((await post({ form_token, ...credentials() }, { 'content-type': 'application/json' })).status, 400);
  const twice = new URLSearchParams({ form_token, ...credentials() });
  twice.append('identifier', LI.idNumber);
  t.is((await browser.post(`${address}/identify`, twice)).status, 400);
  t.is((await post({ form_token, ...credentials() })).status, 303, 'and the honest one passes');
});

test('C2 another window signed in meanwhile: the first one asks, and goes on as that person', async (t) => {
  const browser = server.browser();
  const address = await open(browser);
  await server.signIn(browser, portal, { query: { prompt: 'login' } });
  await browser.get(address);
  t.true(browser.page.text.includes('/continue-as"'));
  t.false(browser.page.text.includes(WANG.idNumber), 'F6');
  t.false(browser.page.text.includes('name="password"'));
  await browser.submit({ decision: 'continue' }, '/continue-as');
  t.truthy(answerOf(await arrive(server, browser)).get('code'), browser.page.text.slice(0, 2000));
});

test('C2 another window signed in meanwhile: the first one goes on as somebody else', async (t) => {
  const browser = server.browser();
  const address = await open(browser);
  await server.signIn(browser, portal, { query: { prompt: 'login' } });
  await browser.get(address);
  await browser.submit({ decision: 'switch' }, '/continue-as');
  await browser.follow();
  t.true(browser.page.text.includes('name="password"'));
  await browser.submit(credentials(LI.idNumber), '/identify');
  await arrive(server, browser);
  if (browser.page.text.includes('/consent"')) {
    await browser.submit({ decision: 'allow' }, '/consent');
    await arrive(server, browser);
  }
  t.truthy(answerOf(browser.page).get('code'), browser.page.text.slice(0, 2000));
  await browser.get('/account');
  t.true(browser.page.text.includes(maskIdNumber(LI.idNumber as IdNumber)));
});

test('E7 login_hint, state and the portal’s name appear as text', async (t) => {
  const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`;
  const named = await server.addPortal({ client_name: `<b>门户</b>"'&` });
  const browser = server.browser();
  await open(browser, { login_hint: evil, state: evil, ui_locales: evil }, named);
  t.is(browser.page.status, 200);
  for (const raw of ['<script>alert', '<img src=x', '<b>门户']) t.false(browser.page.text.includes(raw), raw);
  t.true(browser.page.text.includes('&lt;b&gt;门户'));
  await browser.submit({ identifier: evil, password: evil }, '/identify');
  t.false(browser.page.text.includes('<script>alert'));
  await browser.get(
    `/?lang=${encodeURIComponent(evil)}&text=${encodeURIComponent(evil)}&error=${encodeURIComponent(evil)}`,
  );
  t.false(browser.page.text.includes('<script>alert'));
});

test('A22 consent denied, sign-in cancelled: the portal hears access_denied and the ledger remembers', async (t) => {
  const fresh = await server.addPortal();
  const browser = server.browser();
  await open(browser, {}, fresh);
  await browser.submit(credentials(), '/identify');
  await browser.follow((url) => url.origin !== server.issuer);
  await browser.submit({ decision: 'deny' }, '/consent');
  await browser.follow((url) => url.origin !== server.issuer);
  t.is(answerOf(browser.page).get('error'), 'access_denied');
  t.is(answerOf(browser.page).get('code'), null);
  t.true((await server.events('consent.denied')).length > 0);
  t.is(answerOf(await browser.get(authorizationPath(fresh, { prompt: 'none' }))).get('error'), 'consent_required');

  const other = server.browser();
  await open(other);
  await other.submit({}, '/cancel');
  await other.follow((url) => url.origin !== server.issuer);
  t.is(answerOf(other.page).get('error'), 'access_denied');
});

test('A22 a consent is remembered beyond the session, and more scope asks again, naming what is new', async (t) => {
  const fresh = await server.addPortal();
  const browser = server.browser();
  await tokensOf(server, fresh, browser, { scope: 'openid profile' });
  await browser.get('/session/end');
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  await open(browser, { scope: 'openid profile' }, fresh);
  await browser.submit(credentials(), '/identify');
  t.truthy(answerOf(await arrive(server, browser)).get('code'), 'not asked a second time');

  await open(browser, { scope: 'openid profile identity' }, fresh);
  t.true(browser.page.text.includes('/consent"'));
  const edited = await browser.submit({ decision: 'allow', scope: 'openid profile identity id_number' }, '/consent');
  t.is(edited.status, 400, 'the form knows no scope');
  await open(browser, { scope: 'openid profile identity' }, fresh);
  await browser.submit({ decision: 'allow' }, '/consent');
  t.truthy(answerOf(await arrive(server, browser)).get('code'));
  const none = await browser.get(authorizationPath(fresh, { scope: 'openid profile identity', prompt: 'none' }));
  t.truthy(answerOf(none).get('code'));
});
