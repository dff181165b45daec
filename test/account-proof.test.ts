import test from 'ava';
import { ownPage } from '../src/account-centre/waiting-form.ts';
import { turnClock } from '../src/shared/clock.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { answerOf, OFFLINE, refresh, tokensOf } from './support/portal-calls.ts';
import { authorizationPath, LI, PASSWORD, startServer, WANG } from './support/server.ts';
import { signedToTheEnd, trailOf } from './support/trail.ts';

const SIGNED_SOON = { ledger: { checkpointIntervalMs: 100 } } as const;
const NEW_PASSWORD = 'seven blue kites over the lake';
const LATER_MS = 301_000;

test.afterEach.always(() => turnClock(0));

/** A server with one person, and a browser in which they are signed in. */
async function signedIn(t: Parameters<typeof startServer>[0], overrides: Parameters<typeof startServer>[1] = {}) {
  const server = await startServer(t, { ...SIGNED_SOON, ...overrides });
  const id = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = server.browser();
  await server.signIn(browser, portal);
  return { server, id, portal, browser };
}

const showMore = async (browser: HttpBrowser): Promise<Page> => {
  await browser.get('/account/documents');
  return browser.submit({}, '/account/documents/show');
};

const pathOf = (page: Page): string => new URL(page.url).pathname;

test.serial('D15 a proof made a moment ago opens what is sensitive; an old one is asked for again, once', async (t) => {
  const { server, id, browser } = await signedIn(t);
  const fresh = await showMore(browser);
  t.is(fresh.status, 200);
  t.true(fresh.text.includes('3***00199001*****4'), 'more of the number is shown');
  t.false(fresh.text.includes(WANG.idNumber), 'F6 and never all of it');
  t.is(fresh.headers['cache-control'], 'no-store');

  turnClock(LATER_MS);
  const asked = await showMore(browser);
  t.false(asked.text.includes('3***00199001*****4'));
  t.true(asked.text.includes('name="password"'));
  const wrong = await browser.submit({ password: 'not the password' }, '/account/prove');
  t.is(wrong.status, 401);
  t.is(hiddenField(wrong, 'next'), '/account/documents/show', 'where to go on is not lost by a wrong password');
  const proven = await browser.submit({ password: PASSWORD }, '/account/prove');
  t.is(proven.status, 200);
  t.false(proven.text.includes(PASSWORD));
  t.true((await browser.submit({}, '/account/documents/show')).text.includes('3***00199001*****4'), 'and is sent on');
  t.is((await server.events('sign-in.renewed')).length, 1);
  const shown = await server.events('personal-data.shown');
  t.is(shown.length, 2);
  t.like(shown[0], { subject: id, actor: id, data: { fields: ['name', 'id_number'] } });
});

test.serial('V58 a code and a state that somebody hands over sign nobody in', async (t) => {
  const { server, browser } = await signedIn(t);
  await browser.get(authorizationPath(await server.addPortal(), { prompt: 'consent' }));
  const own = server.browser();
  await own.get('/account');
  const request = new URL(own.page.location ?? '', server.issuer).searchParams;
  // What the account centre asks for itself, answered for whoever has the session.
  await browser.get(`/auth?${request}`);
  const answered = new URL(browser.page.location ?? '', server.issuer);
  t.is(answered.pathname, '/account/entered');
  t.truthy(answered.searchParams.get('code'));

  const victim = server.browser();
  await victim.get(answered.pathname + answered.search);
  t.is(victim.page.location && new URL(victim.page.location, server.issuer).pathname, '/account');
  await victim.follow();
  t.true(victim.page.text.includes('name="password"'), 'the code counts for nothing in another browser');
  t.is(victim.cookie('tongban'), undefined);
  const elsewhere = new URLSearchParams({ code: answered.searchParams.get('code') ?? '', state: 'https://x.example/' });
  await victim.get(`/account/entered?${elsewhere}`);
  t.is(victim.page.location && new URL(victim.page.location, server.issuer).href, `${server.issuer}/account`);
});

test.serial('E1 the proof gives the session a new id; its portals and their tokens stay as they are', async (t) => {
  const { server, portal, browser } = await signedIn(t);
  const tokens = await tokensOf(server, portal, browser, OFFLINE);
  const before = browser.cookie('tongban')?.value;
  const [session] = await server.house.sessionEnds.list((await server.events('sign-in.succeeded'))[0]?.subject ?? '');
  const thief = server.browser();
  for (const cookie of browser.cookies()) thief.setCookie('/', `${cookie.name}=${cookie.value}; Path=${cookie.path}`);
  turnClock(LATER_MS);
  await browser.get('/account/prove?next=/account/methods');
  const proven = await browser.submit({ password: PASSWORD }, '/account/prove');
  t.is(proven.location, `${server.issuer}/account/methods`);
  t.not(browser.cookie('tongban')?.value, before);
  t.truthy(browser.cookie('tongban'));
  t.is((await browser.get('/account/methods')).status, 200);
  t.is((await thief.get('/account')).status, 303, 'whoever held the old id holds nothing');
  const [after] = await server.house.sessionEnds.list((await server.events('sign-in.succeeded'))[0]?.subject ?? '');
  t.is(after?.uid, session?.uid);
  t.deepEqual(after?.clientIds, session?.clientIds);
  t.is((await refresh(server, portal, tokens.refresh_token)).status, 200);
  t.truthy(answerOf(await browser.get(authorizationPath(portal, { prompt: 'none' }))).get('code'));
  t.like((await server.events('sign-in.renewed'))[0], { client: 'account-centre', data: { session: session?.uid } });
});

test.serial('D6 D7 V41 proving again spends the allowance of signing in, and the other way round', async (t) => {
  const { server, browser } = await signedIn(t, { limits: { failuresPerAccount: 3, knownDeviceFailures: 0 } });
  turnClock(LATER_MS);
  await browser.get('/account/prove?next=/account/methods');
  const form = { form_token: hiddenField(browser.page), next: '/account/methods' };
  const guesses = await Promise.all(
    Array.from({ length: 20 }, (_, at) => browser.post('/account/prove', { ...form, password: `guess number ${at}` })),
  );
  t.true(guesses.every(({ status }) => status === 401));
  const refusals = await server.events('sign-in.refused');
  t.is(
    refusals.filter(({ data }) => data.reason === 'mismatch').length,
    3,
    'twenty guesses at once get three verdicts',
  );
  const right = await browser.post('/account/prove', { ...form, password: PASSWORD });
  t.is(right.status, 401, 'the right password is not judged any more');
  const elsewhere = server.browser();
  await elsewhere.get('/account');
  await elsewhere.follow();
  const atSignIn = await elsewhere.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  t.is(atSignIn.status, 401, 'nor at the sign-in');
});

test('A26 a proof leads to pages of the account alone, whatever the address says', (t) => {
  for (const own of ['/account', '/account/methods/password', '/account/companies/lpn_0a1B?state=open'.toLowerCase()])
    t.is(ownPage(own), own);
  for (const other of [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/account//evil.example',
    '/account/../auth',
    '/account/%2e%2e/auth',
    '/accounts',
    '/account@evil.example',
    '/account\r\nset-cookie: a=b',
    '/account/methods#x',
    'javascript:alert(1)',
    '',
    undefined,
    ['/account/methods'],
  ])
    t.is(ownPage(other), '/account', String(other));
});

test.serial('A26 E2 the proof page counts only from our own page, and keeps to its fields', async (t) => {
  const { server, browser } = await signedIn(t);
  turnClock(LATER_MS);
  const page = await browser.get('/account/prove?next=https://evil.example/');
  t.is(hiddenField(page, 'next'), '/account');
  const good = { form_token: hiddenField(page), next: 'https://evil.example/', password: PASSWORD };
  t.is((await browser.post('/account/prove', good, { origin: 'https://evil.cn' })).status, 403);
  t.is((await browser.post('/account/prove', { ...good, form_token: 'x' })).status, 403);
  for (const field of ['constructor', 'kept.', 'kept.a b', 'person_id'])
    t.is((await browser.post('/account/prove', { ...good, [field]: 'x' })).status, 400, field);
  t.is((await server.events('sign-in.renewed')).length, 0);
  const proven = await browser.post('/account/prove', good);
  t.is(proven.location, `${server.issuer}/account`);
  t.is((await server.browser().post('/account/prove', good)).status, 400, 'nobody is signed in there');
});

const change = (browser: HttpBrowser, fields: Record<string, string> = {}): Promise<Page> =>
  browser.submit(
    { password: PASSWORD, newPassword: NEW_PASSWORD, newPasswordAgain: NEW_PASSWORD, ...fields },
    '/account/methods/password',
  );

test.serial(
  'D2 D3 a new password is judged before the old one is tried, and every mistake is told at its field',
  async (t) => {
    const { server, browser } = await signedIn(t);
    await browser.get('/account/methods/password');
    for (const [fields, at] of [
      [{ newPasswordAgain: 'something else entirely' }, 'newPasswordAgain'],
      [{ newPassword: 'short', newPasswordAgain: 'short' }, 'newPassword'],
      [{ newPassword: 'password1234', newPasswordAgain: 'password1234' }, 'newPassword'],
      [{ newPassword: 'my 19900101 dream', newPasswordAgain: 'my 19900101 dream' }, 'newPassword'],
      [{ newPassword: PASSWORD, newPasswordAgain: PASSWORD }, 'newPassword'],
    ] as const) {
      const page = await change(browser, fields);
      t.is(page.status, 400, JSON.stringify(fields));
      t.regex(page.text, new RegExp(`<input id="${at}"[^>]*aria-invalid="true"`));
      t.regex(page.text, new RegExp(`class="field-problem" id="${at}-problem">[^<]+<`));
    }
    t.is((await server.events('sign-in.refused')).length, 0, 'none of these was a guess');
    const wrong = await change(browser, { password: 'not the password' });
    t.is(wrong.status, 401);
    t.regex(wrong.text, /<input id="password"[^>]*aria-invalid="true"/);
    t.is((await server.events('sign-in.refused')).length, 1);
    t.is((await server.events('password.changed')).length, 1, 'the first password alone');
  },
);

test.serial(
  'C11 D2 E9 a changed password opens, the old one does not, and everything but this device is out at once',
  async (t) => {
    const { server, id, portal, browser } = await signedIn(t);
    const own = await tokensOf(server, portal, browser, OFFLINE);
    const [mine] = await server.house.sessionEnds.list(id);
    const gone = await tokensOf(server, portal, server.browser(), OFFLINE);
    // Of the second sign-in the session has run out, and what its portal was granted for longer has not.
    await server.house.database.run('UPDATE sessions SET expires_at = 1 WHERE uid <> $1', [String(mine?.uid)]);
    const other = server.browser();
    const theirs = await tokensOf(server, portal, other, OFFLINE);
    await browser.get('/account/methods/password');
    t.true(browser.page.text.includes('所有设备上的登录都会结束'));
    const done = await change(browser);
    t.is(done.status, 303);
    await browser.follow();
    t.true(browser.page.text.includes('role="status"'));
    t.deepEqual(
      (await server.house.sessionEnds.list(id)).map(({ uid }) => uid),
      [String(mine?.uid)],
    );
    t.is((await browser.get('/account')).status, 200, 'this device stays');
    t.is((await other.get('/account')).status, 303);
    t.is((await refresh(server, portal, own.refresh_token)).status, 200);
    for (const token of [gone.refresh_token, theirs.refresh_token])
      t.is((await refresh(server, portal, token)).status, 400, 'nor does a portal go on elsewhere');
    t.like((await server.events('password.changed')).at(-1), { subject: id, data: { origin: 'account' } });
    t.is(await server.house.passwords.verify(id, NEW_PASSWORD), 'match');
    t.is(await server.house.passwords.verify(id, PASSWORD), 'mismatch');
    await signedToTheEnd(server);
    const told = trailOf((await browser.get('/account/trail')).text).map(({ what }) => what);
    t.true(told.includes('设置了新密码'));
    t.true(told.includes('在“我的账户”中再次核实了身份'));
  },
);

test.serial('E9 a person ends every session but this one', async (t) => {
  const { server, id, portal, browser } = await signedIn(t);
  const stranger = await server.addPerson(LI);
  const elsewhere = [server.browser(), server.browser()];
  for (const other of elsewhere) await server.signIn(other, portal);
  const neighbour = server.browser();
  await server.signIn(neighbour, portal, { identifier: LI.idNumber });
  await browser.get('/account/sessions');
  await browser.submit({}, '/account/sessions/end-others');
  await browser.follow();
  t.is(pathOf(browser.page), '/account/sessions');
  t.is((await server.house.sessionEnds.list(id)).length, 1);
  for (const other of elsewhere) {
    t.is(answerOf(await other.get(authorizationPath(portal, { prompt: 'none' }))).get('error'), 'login_required');
  }
  t.is((await server.house.sessionEnds.list(stranger)).length, 1, 'V39 nobody else is touched');
});

const PAGES = [
  '',
  'documents',
  'methods',
  'methods/password',
  'sessions',
  'portals',
  'trail',
  'companies',
  'data',
  'display',
].map((name) => (name === '' ? '/account' : `/account/${name}`));

test.serial('E8 E9 F6 every page of the account wants a sign-in, marks its place and shows no number', async (t) => {
  const { server, browser } = await signedIn(t);
  for (const address of PAGES) {
    t.is((await server.browser().get(address)).status, 303, `${address} is nobody’s`);
    const page = await browser.get(address);
    t.is(page.status, 200, address);
    t.is(page.headers['cache-control'], 'no-store', address);
    t.false(page.text.includes(WANG.idNumber) || page.text.includes(WANG.name), address);
    const marked = [...page.text.matchAll(/href="([^"]+)" aria-current="page"/g)].map(([, href]) => href);
    const place = address.replace('/password', '');
    t.deepEqual(marked, [place, place], 'once in each form of the navigation');
  }
});
