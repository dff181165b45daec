import test from 'ava';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { answerOf, introspect, OFFLINE, ROOMY, refresh, tokensOf, userinfo } from './support/portal-calls.ts';
import {
  authorizationPath,
  LI,
  PASSWORD,
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
  portal = await server.addPortal({ client_name: '办事门户' });
});
test.after.always(() => server.stop());

const sessionsOf = async (idNumber: string) => {
  const person = await server.house.persons.findByIdNumber(idNumber as never);
  return server.house.sessionEnds.list(person?.id ?? '');
};

/** The uid of the session this browser holds, as its own account page names it. */
async function uidOf(browser: HttpBrowser, idNumber: string = WANG.idNumber): Promise<string> {
  const before = new Set((await sessionsOf(idNumber)).map(({ uid }) => uid));
  await tokensOf(server, portal, browser);
  const after = (await sessionsOf(idNumber)).map(({ uid }) => uid);
  return after.find((uid) => !before.has(uid)) ?? '';
}

test('E9 the account centre asks for a sign-in of its own, and then shows only masked data', async (t) => {
  const browser = server.browser();
  await browser.get('/account');
  await browser.follow();
  t.true(browser.page.text.includes('name="password"'));
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await browser.follow();
  t.is(new URL(browser.page.url).pathname, '/account');
  t.is(browser.page.status, 200);
  t.is(browser.page.headers['cache-control'], 'no-store');
  t.false(browser.page.text.includes(WANG.idNumber));
  t.false(browser.page.text.includes(WANG.name));
});

test.serial(
  'E9 C11 a person ends a session elsewhere: its cookie and its tokens are dead at once, this one lives',
  async (t) => {
    const lost = server.browser();
    const uid = await uidOf(lost);
    const tokens = await tokensOf(server, portal, lost, OFFLINE);
    const browser = server.browser();
    await server.signIn(browser, portal);
    await browser.get('/account');
    t.true(browser.page.text.includes(`value="${uid}"`));
    const page = await browser.post('/account/sessions/end', { form_token: hiddenField(browser.page), id: uid });
    t.is(page.status, 303);
    await browser.follow();
    t.false(browser.page.text.includes(`value="${uid}"`));
    t.is(answerOf(await lost.get(authorizationPath(portal, { prompt: 'none' }))).get('error'), 'login_required');
    t.is((await userinfo(server, tokens.access_token)).status, 401);
    t.is((await refresh(server, portal, tokens.refresh_token)).status, 400);
    t.truthy(answerOf(await browser.get(authorizationPath(portal, { prompt: 'none' }))).get('code'));
  },
);

test.serial('V39 nobody sees or ends the session of somebody else', async (t) => {
  const victim = server.browser();
  const uid = await uidOf(victim);
  const other = server.browser();
  await server.signIn(other, portal, { identifier: LI.idNumber });
  await other.get('/account');
  t.false(other.page.text.includes(uid));
  for (const id of [uid, '__proto__', "' OR 1=1 --", '*']) {
    const page = await other.post('/account/sessions/end', { form_token: hiddenField(other.page), id });
    t.is(page.status, 303, 'no word about whether it exists');
    await other.get('/account');
  }
  t.truthy(answerOf(await victim.get(authorizationPath(portal, { prompt: 'none' }))).get('code'));
});

test.serial(
  'E9 A22 a person withdraws a portal: its tokens are dead in every session, and it has to ask again',
  async (t) => {
    const withdrawn = await server.addPortal({ client_name: '旧门户' });
    const [here, there] = [server.browser(), server.browser()];
    const tokens = [
      await tokensOf(server, withdrawn, here, OFFLINE),
      await tokensOf(server, withdrawn, there, OFFLINE),
    ] as const;
    const kept = await tokensOf(server, portal, here);
    await here.get('/account');
    t.true(here.page.text.includes(`value="${withdrawn.id}"`));
    const page = await here.post('/account/portals/withdraw', {
      form_token: hiddenField(here.page),
      client_id: withdrawn.id,
    });
    t.is(page.status, 303);
    await here.follow();
    t.false(here.page.text.includes(`value="${withdrawn.id}"`));
    for (const { access_token: access, refresh_token: renewal } of tokens) {
      t.is((await userinfo(server, access)).status, 401);
      t.deepEqual(await introspect(server, withdrawn, access), { active: false });
      t.is((await refresh(server, withdrawn, renewal)).status, 400);
    }
    t.is((await userinfo(server, kept.access_token)).status, 200);
    const ask = await here.get(authorizationPath(withdrawn, { prompt: 'none' }));
    t.is(answerOf(ask).get('error'), 'consent_required');
    t.is((await server.events('consent.withdrawn')).length, 1);
  },
);

test('E2 V50 the account’s forms count only from its own page, and no GET changes anything', async (t) => {
  const browser = server.browser();
  await server.signIn(browser, portal);
  await browser.get('/account');
  const form_token = hiddenField(browser.page);
  const other = server.browser();
  await server.signIn(other, portal, { identifier: LI.idNumber });
  await other.get('/account');
  const fields = { form_token, client_id: portal.id };
  const post = (form: Record<string, string>, headers: Record<string, string> = {}) =>
    browser.post('/account/portals/withdraw', form, headers);
  t.is((await post(fields, { origin: 'https://evil.cn' })).status, 403);
  t.is((await post(fields, { 'sec-fetch-site': 'cross-site' })).status, 403);
  t.is((await post({ ...fields, form_token: '' })).status, 403);
  t.is((await post({ ...fields, form_token: hiddenField(other.page) })).status, 403);
  t.is((await post({ ...fields, person_id: 'x' })).status, 400);
  for (const path of ['/account/sessions/end?id=x', `/account/portals/withdraw?client_id=${portal.id}`]) {
    t.true([404, 405].includes((await browser.get(path)).status), path);
  }
  t.is((await server.browser().post('/account/portals/withdraw', fields)).status, 400, 'nobody is signed in there');
  t.truthy(answerOf(await browser.get(authorizationPath(portal, { prompt: 'none' }))).get('code'));
});
