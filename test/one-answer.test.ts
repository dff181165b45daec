import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import Koa, { type Context } from 'koa';
import { showAtOnce } from '../src/oidc/going-on.ts';
import { UnitOfWork, withUnit } from '../src/oidc/unit-of-work.ts';
import { Fault } from '../src/shared/fault.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { ROOMY } from './support/portal-calls.ts';
import {
  authorizationPath,
  LI,
  PASSWORD,
  REDIRECT_URI,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
});
test.after.always(() => server.stop());

const CREDENTIALS = { identifier: WANG.idNumber, password: PASSWORD } as const;

/** Opens the sign-in page; resolves with its address. */
async function open(browser: HttpBrowser, portal: TestPortal, query: Record<string, string> = {}): Promise<string> {
  await browser.get(authorizationPath(portal, query));
  await browser.follow();
  return new URL(browser.page.url).pathname;
}

const ceremonyCookies = (browser: HttpBrowser): readonly string[] =>
  browser
    .cookies()
    .filter(({ name }) => name === 'tongban_resume')
    .map(({ path }) => path);

const eventsOf = async ({ id }: TestPortal) =>
  (await server.events()).filter(({ client, actor }) => client === id && actor !== 'system');

test.serial('the page of an ordinary request is the answer to it, and stands at an address of its own', async (t) => {
  const portal = await server.addPortal();
  const browser = server.browser();
  const page = await browser.get(authorizationPath(portal));
  t.is(page.status, 200);
  t.is(page.location, undefined);
  t.regex(String(page.headers['content-location']), /^\/interaction\/[\w-]+$/);
  t.true(page.text.includes('name="password"'));
  t.true(
    page.text.includes(`<link rel="canonical" href="${page.headers['content-location']}">`),
    'where a script loads it from again',
  );
  t.deepEqual(ceremonyCookies(browser), [String(page.headers['content-location']).replace('interaction', 'auth')]);
  const again = await browser.get(page.url);
  t.is(again.status, 200);
  t.is(hiddenField(again).split('.')[1]?.length, hiddenField(page).split('.')[1]?.length);
  t.true((await browser.submit(CREDENTIALS, '/identify')).location?.includes('/interaction/'));
});

test.serial('loaded again without a script, the request begins anew', async (t) => {
  const portal = await server.addPortal();
  const browser = server.browser();
  const path = authorizationPath(portal);
  const first = await browser.get(path);
  const second = await browser.get(path);
  t.is(second.status, 200);
  t.not(second.url, first.url);
  await browser.submit(CREDENTIALS, '/identify');
  await browser.follow();
  t.true((await browser.submit({ decision: 'allow' }, '/consent')).location?.startsWith(`${REDIRECT_URI}?code=`));
});

test.serial('A16 F6 no page stands at an address that tells of a person or works once', async (t) => {
  const portal = await server.addPortal();
  const { body } = await server.token(portal, redemption(await server.signIn(server.browser(), portal)));
  const hints: readonly Record<string, string>[] = [
    { login_hint: WANG.idNumber },
    { id_token_hint: String(body.id_token) },
  ];
  for (const query of hints) {
    const page = await server.browser().get(authorizationPath(portal, query));
    t.is(page.status, 303, JSON.stringify(query));
    t.true(page.location?.startsWith(`${server.issuer}/interaction/`));
  }
});

test('a page that cannot be shown at once is where the browser is sent, as if nobody had tried', async (t) => {
  const endings: readonly ((ctx: Context) => Promise<void>)[] = [
    async (ctx) => {
      ctx.set('content-security-policy', 'of the page');
      ctx.body = 'half a page';
      throw new Fault('internal', 'in the middle of a page');
    },
    async (ctx) => {
      ctx.status = 403;
      ctx.body = 'not you';
    },
  ];
  for (const page of endings) {
    const app = new Koa().use((ctx) =>
      withUnit(new UnitOfWork('r', '127.0.0.1', ''), async () => {
        ctx.status = 303;
        ctx.set('location', '/interaction/x');
        ctx.append('set-cookie', 'tongban_ceremony=x');
        ctx.body = 'Redirecting';
        t.false(await showAtOnce(ctx, 'x', page));
        t.is(ctx.url, '/auth?state=1');
      }),
    );
    const listening = app.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const { port } = listening.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/auth?state=1`, { redirect: 'manual' });
    listening.close();
    t.is(answer.status, 303);
    t.is(await answer.text(), 'Redirecting');
    t.is(answer.headers.get('location'), '/interaction/x');
    t.is(answer.headers.get('set-cookie'), 'tongban_ceremony=x');
    t.is(answer.headers.get('content-security-policy'), null);
    t.is(answer.headers.get('content-location'), null);
  }
});

test.serial('a proof is answered with the next question, and the last answer with the portal', async (t) => {
  const portal = await server.addPortal();
  const browser = server.browser();
  const first = await open(browser, portal);
  const signedIn = await browser.submit(CREDENTIALS, '/identify');
  t.is(signedIn.status, 303);
  const second = new URL(signedIn.location ?? '').pathname;
  t.regex(second, /^\/interaction\/[\w-]+$/);
  t.not(second, first);
  t.deepEqual(ceremonyCookies(browser), [second.replace('interaction', 'auth')], 'the one before is taken back');
  t.truthy(browser.cookie('tongban'));

  await browser.follow();
  const allowed = await browser.submit({ decision: 'allow' }, '/consent');
  t.is(allowed.status, 303);
  t.true(allowed.location?.startsWith(`${REDIRECT_URI}?code=`), allowed.location);
  t.deepEqual(ceremonyCookies(browser), []);
  t.is((await server.token(portal, redemption(new URL(allowed.location ?? '')))).status, 200);
});

test.serial('L8 a consent and the code it opens are one change, under the name of one request', async (t) => {
  const portal = await server.addPortal();
  const browser = server.browser();
  await open(browser, portal);
  const signedIn = await browser.submit(CREDENTIALS, '/identify');
  await browser.follow();
  const allowed = await browser.submit({ decision: 'allow' }, '/consent');
  const told = (await eventsOf(portal)).map(({ type, corr }) => [type, corr]);
  t.deepEqual(told, [
    ['sign-in.succeeded', signedIn.headers['x-request-id']],
    ['consent.given', allowed.headers['x-request-id']],
    ['portal.entered', allowed.headers['x-request-id']],
  ]);
});

test.serial('E1 the session that was there gets another name with the proof itself', async (t) => {
  const portal = await server.addPortal();
  const browser = server.browser();
  await server.signIn(browser, portal);
  const before = browser.cookie('tongban')?.value;
  await open(browser, portal, { prompt: 'login' });
  t.is(browser.cookie('tongban')?.value, before);
  await browser.submit(CREDENTIALS, '/identify');
  t.not(browser.cookie('tongban')?.value, before);
  const forgotten = server.browser();
  forgotten.setCookie(server.issuer, `tongban=${before}; Path=/`);
  await forgotten.get(authorizationPath(portal, { prompt: 'none' }));
  t.is(new URL(forgotten.page.location ?? '').searchParams.get('error'), 'login_required');
});

test.serial(
  'V4 a proof given in a browser that lost the session it is for makes no session and enters no portal',
  async (t) => {
    const portal = await server.addPortal();
    const browser = server.browser();
    await server.signIn(browser, portal);
    const sessions = (): Promise<unknown[]> => server.house.database.all('SELECT uid, id_digest FROM sessions', []);
    await open(browser, portal, { prompt: 'login' });
    const [before, events] = [await sessions(), (await eventsOf(portal)).length];
    browser.forgetCookies('tongban');
    const page = await browser.submit(CREDENTIALS, '/identify');
    t.is(page.status, 400);
    t.is(page.location, undefined);
    t.deepEqual(await sessions(), before);
    const told = (await eventsOf(portal)).slice(events);
    t.deepEqual(
      told.map(({ type }) => type),
      ['sign-in.succeeded'],
      'what was proven is told',
    );
  },
);

test.serial('R14 what stands in the address beside a form reaches nobody, not even when it is refused', async (t) => {
  const portal = await server.addPortal();
  const browser = server.browser();
  const query = new URLSearchParams({ client_id: portal.id, redirect_uri: REDIRECT_URI, response_type: 'code' });
  await server.signIn(browser, portal);
  const address = await open(browser, portal, { prompt: 'login' });
  browser.forgetCookies('tongban');
  const form = { form_token: hiddenField(browser.page), ...CREDENTIALS };
  const page = await browser.post(`${address}/identify?${query}`, form);
  t.is(page.status, 400);
  t.is(page.location, undefined);
  t.deepEqual(
    (await eventsOf(portal)).filter(({ type }) => type === 'portal.refused'),
    [],
  );
});

test.serial('somebody else is signed out on the way, and the browser may go on from there to the portal', async (t) => {
  await server.addPerson(LI);
  const portal = await server.addPortal();
  const browser = server.browser();
  await server.signIn(browser, portal);
  await open(browser, portal, { prompt: 'login' });
  const page = await browser.submit({ ...CREDENTIALS, identifier: LI.idNumber }, '/identify');
  t.is(page.status, 200);
  t.true(page.text.includes('forms[0].submit()'));
  const policy = String(page.headers['content-security-policy']);
  t.regex(policy, /form-action 'self' https:\/\/portal\.example;/);
  t.regex(policy, /script-src 'self' 'sha256-/);
});

const AT_ONCE = { ...CREDENTIALS, at_once: '1' } as const;

test.serial('where scripts run, a proof is answered with the page of the next question', async (t) => {
  const portal = await server.addPortal();
  const browser = server.browser();
  const first = await open(browser, portal);
  const page = await browser.submit(AT_ONCE, '/identify');
  t.is(page.status, 200);
  t.is(page.location, undefined);
  const own = String(page.headers['content-location']);
  t.regex(own, /^\/interaction\/[\w-]+$/);
  t.not(own, first);
  t.true(page.text.includes(`<link rel="canonical" href="${own}">`));
  t.true(page.text.includes('value="allow"'));
  t.is(page.headers['cache-control'], 'no-store');
  t.deepEqual(ceremonyCookies(browser), [own.replace('interaction', 'auth')]);
  t.true((await browser.get(`${server.issuer}${own}`)).text.includes('value="allow"'), 'loaded again from there');
  const allowed = await browser.submit({ decision: 'allow' }, '/consent');
  t.true(allowed.location?.startsWith(`${REDIRECT_URI}?code=`), allowed.location);
  t.is((await server.token(portal, redemption(new URL(allowed.location ?? '')))).status, 200);
  t.deepEqual((await eventsOf(portal)).map(({ type }) => type).slice(0, 3), [
    'sign-in.succeeded',
    'consent.given',
    'portal.entered',
  ]);
});

test.serial('so it is where the library goes on with the request', async (t) => {
  const portal = await server.addPortal();
  const browser = server.browser();
  await open(browser, portal, { claims: JSON.stringify({ userinfo: { name: null } }) });
  const page = await browser.submit(AT_ONCE, '/identify');
  t.is(page.status, 200);
  t.true(page.text.includes('value="allow"'));
  const allowed = await browser.submit({ decision: 'allow' }, '/consent');
  t.true(allowed.location?.startsWith(`${REDIRECT_URI}?code=`), allowed.location);
});

test.serial('A23 with nothing left to ask the browser is sent to the portal, with scripts as without', async (t) => {
  const portal = await server.addPortal();
  await server.signIn(server.browser(), portal);
  const browser = server.browser();
  await open(browser, portal);
  const page = await browser.submit(AT_ONCE, '/identify');
  t.is(page.status, 303);
  t.true(page.location?.startsWith(`${REDIRECT_URI}?code=`), page.location);
});

test.serial('a wrong password is refused as ever, and another value of the field is malformed', async (t) => {
  const portal = await server.addPortal();
  const browser = server.browser();
  await open(browser, portal);
  const refused = await browser.submit({ ...AT_ONCE, password: 'not the password' }, '/identify');
  t.is(refused.status, 401);
  t.is(refused.headers['content-location'], undefined);
  t.is((await browser.submit({ ...CREDENTIALS, at_once: '2' }, '/identify')).status, 400);
});
