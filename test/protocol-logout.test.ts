import test from 'ava';
import { hiddenField } from './support/hidden-field.ts';
import {
  answerOf,
  introspect,
  OFFLINE,
  payloadOf,
  ROOMY,
  refresh,
  tokensOf,
  userinfo,
} from './support/portal-calls.ts';
import { authorizationPath, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';

const BYE = 'https://portal.example/bye';
let server: TestServer;
let portal: TestPortal;

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  portal = await server.addPortal({ post_logout_redirect_uris: [BYE] });
});
test.after.always(() => server.stop());

const endPath = (query: Record<string, string>) => `/session/end?${new URLSearchParams(query)}`;

test('C8 C9 a portal asks to sign out: the citizen confirms and is back at the registered address with its state', async (t) => {
  const browser = server.browser();
  const body = await tokensOf(server, portal, browser);
  const query = { id_token_hint: String(body.id_token), post_logout_redirect_uri: BYE, state: 'a b+c' };
  await browser.get(endPath(query));
  t.is(browser.page.status, 200);
  t.is((await userinfo(server, body.access_token)).status, 200, 'asking alone ends nothing');
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  t.is(browser.page.status, 303);
  t.is(browser.page.location, `${BYE}?state=a+b%2Bc`);
  t.is((await userinfo(server, body.access_token)).status, 401);
  t.deepEqual(await introspect(server, portal, body.access_token), { active: false });
  await browser.get(authorizationPath(portal, { prompt: 'none' }));
  t.is(answerOf(browser.page).get('error'), 'login_required');
});

test('C8 V35 sign-out never leads to an address that is not registered, and never by a forged hint', async (t) => {
  const browser = server.browser();
  const { id_token: idToken } = await tokensOf(server, portal, browser);
  const hint = String(idToken);
  const other = await server.addPortal();
  for (const query of [
    { id_token_hint: hint, post_logout_redirect_uri: 'https://evil.cn/' },
    { id_token_hint: hint, post_logout_redirect_uri: `${BYE}/` },
    { id_token_hint: hint, post_logout_redirect_uri: 'javascript:alert(1)' },
    { post_logout_redirect_uri: BYE },
    { client_id: other.id, post_logout_redirect_uri: BYE },
    { client_id: other.id, id_token_hint: hint, post_logout_redirect_uri: BYE },
    { id_token_hint: `${hint.slice(0, -8)}AAAAAAAA`, post_logout_redirect_uri: BYE },
    { id_token_hint: `eyJhbGciOiJub25lIn0.${hint.split('.')[1]}.`, post_logout_redirect_uri: BYE },
    { id_token_hint: 'x', post_logout_redirect_uri: BYE },
  ] as Record<string, string>[]) {
    const page = await browser.get(endPath(query));
    t.is(page.location, undefined, JSON.stringify(query));
    t.true(page.status === 400 || page.text.includes('/session/end/confirm'), String(page.status));
    if (page.status === 200) t.false(String(page.headers['content-security-policy']).includes('evil.cn'));
  }
  t.is(
    answerOf(await browser.get(authorizationPath(portal, { prompt: 'none' }))).get('error'),
    null,
    'still signed in',
  );
});

test('C9 no GET and no POST without the page’s own token ends a session', async (t) => {
  const browser = server.browser();
  const body = await tokensOf(server, portal, browser);
  await browser.get('/session/end');
  t.true(browser.page.text.includes('/session/end/confirm'));
  for (const xsrf of ['', 'x', 'undefined']) {
    const page = await browser.post('/session/end/confirm', { logout: 'yes', xsrf });
    t.is(page.status, 400, xsrf);
  }
  await browser.get('/session/end/confirm?logout=yes');
  t.is((await userinfo(server, body.access_token)).status, 200);
  const byPost = await browser.post('/session/end', { id_token_hint: String(body.id_token) });
  t.is(byPost.status, 303);
  t.true((await browser.follow()).text.includes('/session/end/confirm'), 'a POST of a portal asks as well');
  t.is((await userinfo(server, body.access_token)).status, 200);
});

test('C9 a sign-out page stolen from one browser ends nothing in another', async (t) => {
  const [mine, theirs] = [server.browser(), server.browser()];
  await tokensOf(server, portal, mine);
  const body = await tokensOf(server, portal, theirs);
  await theirs.get('/session/end');
  await mine.get('/session/end');
  const xsrf = hiddenField(mine.page, 'xsrf');
  t.truthy(xsrf);
  t.is((await theirs.post('/session/end/confirm', { logout: 'yes', xsrf })).status, 400);
  t.is((await userinfo(server, body.access_token)).status, 200);
});

test('C11 E8 signing out everywhere ends the session of every portal in this browser and in no other', async (t) => {
  const [browser, elsewhere] = [server.browser(), server.browser()];
  const second = await server.addPortal();
  const tokens = [
    [portal, await tokensOf(server, portal, browser)],
    [second, await tokensOf(server, second, browser)],
  ] as const;
  const kept = await tokensOf(server, portal, elsewhere);
  await browser.get('/session/end');
  const page = await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  t.is(page.status, 303);
  t.is(page.headers['clear-site-data'], '"cache"');
  for (const [client, body] of tokens)
    t.deepEqual(await introspect(server, client, body.access_token), { active: false });
  t.is((await userinfo(server, kept.access_token)).status, 200);
  await browser.follow();
  t.is(browser.page.status, 200);
  t.is(browser.page.headers['cache-control'], 'no-store');
});

test('C9 leaving one portal alone keeps the others', async (t) => {
  const browser = server.browser();
  const second = await server.addPortal();
  const body = await tokensOf(server, portal, browser);
  const kept = await tokensOf(server, second, browser);
  await browser.get(endPath({ id_token_hint: String(body.id_token) }));
  const xsrf = hiddenField(browser.page, 'xsrf');
  await browser.post('/session/end/confirm', { xsrf });
  t.is((await userinfo(server, body.access_token)).status, 401);
  t.is((await userinfo(server, kept.access_token)).status, 200);
  t.truthy(answerOf(await browser.get(authorizationPath(second, { prompt: 'none' }))).get('code'));
});

test('C11 V9 the cookie of a session that was signed out opens nothing, even sent again', async (t) => {
  const browser = server.browser();
  await tokensOf(server, portal, browser);
  const thief = server.browser();
  for (const { name, value } of browser.cookies()) thief.setCookie(server.issuer, `${name}=${value}; Path=/`);
  t.truthy(answerOf(await thief.get(authorizationPath(portal, { prompt: 'none' }))).get('code'));
  for (const { name, value } of browser.cookies()) thief.setCookie(server.issuer, `${name}=${value}; Path=/`);
  await browser.get('/session/end');
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  t.is(answerOf(await thief.get(authorizationPath(portal, { prompt: 'none' }))).get('error'), 'login_required');
});

test('C11 an offline grant outlives the sign-out, as its scope says, until it is withdrawn', async (t) => {
  const browser = server.browser();
  const body = await tokensOf(server, portal, browser, OFFLINE);
  await browser.get('/session/end');
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  t.is((await refresh(server, portal, body.refresh_token)).status, 200);
});

test('C12 every sign-in has a sid of its own, the same for all tokens of one portal in it', async (t) => {
  const withSid = await server.addPortal({
    backchannel_logout_uri: 'https://portal.example/logout',
    backchannel_logout_session_required: true,
  });
  const sid = async (browser: ReturnType<TestServer['browser']>) =>
    payloadOf((await tokensOf(server, withSid, browser)).id_token).sid;
  const [one, other] = [server.browser(), server.browser()];
  const first = await sid(one);
  t.is(typeof first, 'string');
  t.is(await sid(one), first);
  t.not(await sid(other), first);
});
