import test from 'ava';
import type { IdNumber } from '../src/people/id-number.ts';
import { maskIdNumber } from '../src/people/masking.ts';
import { answerOf, arrive, OFFLINE, pause, ROOMY, tokensOf, userinfo } from './support/portal-calls.ts';
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
let portals: readonly TestPortal[];

test.before(async () => {
  server = await startServer(undefined, ROOMY);
  await server.addPerson(WANG);
  await server.addPerson(LI);
  portals = await Promise.all([1, 2, 3, 4].map(() => server.addPortal()));
});
test.after.always(() => server.stop());

const cookieHeader = (browser: ReturnType<TestServer['browser']>): string =>
  browser
    .cookies()
    .filter(({ path }) => path === '/')
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ');

const liveSessions = async (personIdNumber: string) => {
  const person = await server.house.persons.findByIdNumber(personIdNumber as never);
  return server.house.sessionEnds.list(person?.id ?? '');
};

const SESSION = 'tongban';

test('E1 V62 the session’s name changes at sign-in, and a name planted beforehand is never adopted', async (t) => {
  const browser = server.browser();
  browser.setCookie(server.issuer, `${SESSION}=planted-by-a-stranger; Path=/`);
  browser.setCookie(server.issuer, `${SESSION}.sig=AAAAAAAAAAAAAAAAAAAAAAAAAAA; Path=/`);
  await server.signIn(browser, portals[0]!);
  const first = browser.cookie(SESSION)?.value;
  t.truthy(first);
  t.not(first, 'planted-by-a-stranger');

  await browser.get(authorizationPath(portals[0]!, { prompt: 'login' }));
  await browser.follow();
  await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
  await arrive(server, browser);
  t.not(browser.cookie(SESSION)?.value, first);
});

test('E1 V4 the session a stranger began and planted does not become the citizen’s', async (t) => {
  const stranger = server.browser();
  await stranger.get(authorizationPath(portals[0]!));
  await stranger.follow();
  const citizen = server.browser();
  for (const { name, value, path } of stranger.cookies()) {
    citizen.setCookie(server.issuer, `${name}=${value}; Path=${path}`);
  }
  await server.signIn(citizen, portals[1]!);
  await stranger.get(authorizationPath(portals[1]!, { prompt: 'none' }));
  t.is(answerOf(stranger.page).get('error'), 'login_required');
});

test('E3 cookies are out of reach of scripts and of foreign sites, and small', async (t) => {
  const browser = server.browser();
  await server.signIn(browser, portals[0]!);
  t.true(browser.cookies().length >= 3);
  for (const { name, value, httpOnly, sameSite, hostOnly } of browser.cookies()) {
    t.true(httpOnly, name);
    t.is(sameSite, 'lax', name);
    t.true(hostOnly, name);
    t.true(value.length < 1024, name);
  }
  t.true((browser.cookie(SESSION)?.value.length ?? 0) >= 22, '128 bits at least');
});

test('E3 V43 a cookie changed in any letter opens nothing and breaks nothing', async (t) => {
  const browser = server.browser();
  await server.signIn(browser, portals[0]!);
  const header = cookieHeader(browser);
  for (const cookie of [
    header.replace(/(tongban=..)(.)/, (_all, head: string, letter: string) => head + (letter === 'A' ? 'B' : 'A')),
    header.replace(/(tongban\.sig=..)(.)/, (_all, head: string, letter: string) => head + (letter === 'A' ? 'B' : 'A')),
    header.replace(/tongban\.sig=[^;]+/, ''),
    header.replace(/tongban=[^;]+/, 'tongban=__proto__'),
    header.replace(/tongban=[^;]+/, `tongban=${'x'.repeat(8000)}`),
    'tongban=%00; tongban.sig=%ff',
    ';;;===;',
  ]) {
    const answer = await fetch(server.issuer + authorizationPath(portals[0]!, { prompt: 'none' }), {
      redirect: 'manual',
      headers: { cookie },
    });
    t.is(answer.status, 303, cookie.slice(0, 60));
    t.regex(answer.headers.get('location') ?? '', /error=login_required/);
  }
});

test('C10 V2 three tabs at once lose no portal of the session', async (t) => {
  const browser = server.browser();
  for (const portal of portals) await server.signIn(browser, portal);
  const fresh = server.browser();
  await server.signIn(fresh, portals[0]!);
  const cookie = cookieHeader(fresh);
  const answers = await Promise.all(
    portals.slice(1).map((portal) =>
      fetch(server.issuer + authorizationPath(portal, { prompt: 'none' }), {
        redirect: 'manual',
        headers: { cookie },
      }),
    ),
  );
  for (const answer of answers) t.regex(answer.headers.get('location') ?? '', /code=/);
  const sessions = await liveSessions(WANG.idNumber);
  t.true(
    sessions.filter(({ clientIds }) => portals.every(({ id }) => clientIds.includes(id))).length >= 2,
    JSON.stringify(sessions.map(({ clientIds }) => clientIds.length)),
  );
});

test('C10 of two tabs that enter one portal at once both get in', async (t) => {
  const own = await startServer(t, ROOMY);
  await own.addPerson(WANG);
  const [first, second] = [await own.addPortal(), await own.addPortal()];
  await own.signIn(own.browser(), second);
  const browser = own.browser();
  await own.signIn(browser, first);
  const cookie = cookieHeader(browser);
  // Nobody writes before both have looked.
  const { store } = own.house;
  const apply = store.apply.bind(store);
  let waiting = 2;
  let go: () => void = () => {};
  const both = new Promise<void>((resolve) => {
    go = resolve;
  });
  Object.assign(store, {
    async apply(...work: Parameters<typeof apply>) {
      waiting -= 1;
      if (waiting === 0) go();
      await both;
      return apply(...work);
    },
  });
  let sentBack = 0;
  const enter = async (): Promise<URL> => {
    const address = new URL(authorizationPath(second, { prompt: 'none' }), own.issuer);
    for (;;) {
      const answer = await fetch(address, { redirect: 'manual', headers: { cookie } });
      const location = new URL(answer.headers.get('location') ?? '', own.issuer);
      if (location.href !== address.href) return location;
      t.is(answer.headers.get('set-cookie'), null);
      sentBack += 1;
    }
  };
  const callbacks = await Promise.all([enter(), enter()]);
  t.is(sentBack, 1);
  for (const callback of callbacks) t.is((await own.token(second, redemption(callback))).status, 200);
});

test('C11 signing out while tabs are busy leaves no living session', async (t) => {
  const own = await startServer(t, ROOMY);
  await own.addPerson(WANG);
  const clients = await Promise.all([1, 2, 3].map(() => own.addPortal()));
  for (let round = 0; round < 4; round += 1) {
    const browser = own.browser();
    for (const client of clients) await own.signIn(browser, client);
    const cookie = cookieHeader(browser);
    await browser.get('/session/end');
    const busy = clients.flatMap((client) =>
      [1, 2, 3].map(() =>
        fetch(own.issuer + authorizationPath(client, { prompt: 'none' }), { redirect: 'manual', headers: { cookie } }),
      ),
    );
    const [page] = await Promise.all([browser.submit({ logout: 'yes' }, '/session/end/confirm'), ...busy]);
    t.is(page.status, 303);
  }
  const person = await own.house.persons.findByIdNumber(WANG.idNumber as never);
  t.deepEqual(await own.house.sessionEnds.list(person?.id ?? ''), []);
});

test('E4 a session that nobody uses ends by itself, and one that is used ends at its absolute limit', async (t) => {
  const brief = await startServer(t, { ...ROOMY, session: { idleSeconds: 60, absoluteSeconds: 60 } });
  await brief.addPerson(WANG);
  const portal = await brief.addPortal();
  const browser = brief.browser();
  const tokens = await tokensOf(brief, portal, browser);
  const age = (seconds: number) =>
    brief.house.database.write((tx) => tx.run('UPDATE sessions SET expires_at = expires_at - $1', [seconds]));
  t.truthy(answerOf(await browser.get(authorizationPath(portal, { prompt: 'none' }))).get('code'));
  await age(59);
  await pause(1100);
  t.is(answerOf(await browser.get(authorizationPath(portal, { prompt: 'none' }))).get('error'), 'login_required');
  t.is(
    (await userinfo(brief, tokens.access_token)).status,
    401,
    'tokens without offline access end with their session',
  );
});

test('C11 V9 another person in the same browser starts afresh', async (t) => {
  const browser = server.browser();
  const first = await tokensOf(server, portals[0]!, browser);
  await browser.get('/session/end');
  await browser.submit({ logout: 'yes' }, '/session/end/confirm');
  const callback = await server.signIn(browser, portals[0]!, { identifier: LI.idNumber, query: OFFLINE });
  t.truthy(callback.searchParams.get('code'));
  t.is((await userinfo(server, first.access_token)).status, 401);
  const { text } = await browser.get('/account');
  t.true(text.includes(maskIdNumber(LI.idNumber as IdNumber)));
  t.false(text.includes(maskIdNumber(WANG.idNumber as IdNumber)));
});
