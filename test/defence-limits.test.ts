import test from 'ava';
import { createAttempts } from '../src/factors/attempts.ts';
import { createSqlCounters } from '../src/storage/sql-counters.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { identifierOf } from './support/people.ts';
import { authorizationPath, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';

const LIMIT = 5;
const NAMES = [WANG.idNumber, '13800000000', 'wang@example.cn', 'xiao.ming'] as const;

async function atSignIn(server: TestServer, portal: TestPortal): Promise<HttpBrowser> {
  const browser = server.browser();
  await browser.get(authorizationPath(portal));
  await browser.follow();
  return browser;
}

async function withNames(server: TestServer, person: string): Promise<void> {
  const proof = { origin: 'test', verifiedBy: 'one_time_code' };
  for (const [at, type] of (['phone', 'email', 'user_name'] as const).entries())
    await server.house.identifiers.bind(person, identifierOf(type, NAMES[at + 1]!), proof);
}

const times = async (server: TestServer, type: string, reason: string): Promise<number> =>
  (await server.events(type))
    .filter(({ data }) => data.reason === reason)
    .reduce((sum, { data }) => sum + Number(data.repeated ?? 1), 0);

test('D6 D7 D8 P9 V21 V23 V31 V41 a hundred guesses at once, over four names and three endpoints, get five verdicts, and the owner comes in meanwhile', async (t) => {
  const server = await startServer(t, {
    limits: { failuresPerAccount: LIMIT, failuresPerAddress: 10_000, failuresPerNetwork: 10_000 },
    password: { queueMax: 1000, queueDeadlineMs: 20_000 },
    account: { freshProofSeconds: 5 },
  });
  const wang = await server.addPerson(WANG);
  await withNames(server, wang);
  const portal = await server.addPortal();
  const owner = server.browser();
  await server.signIn(owner, portal);
  // Somebody has the session of the owner, but not the browser.
  const thief = server.browser();
  await server.signIn(thief, portal);
  await thief.get('/account');
  await thief.follow((url) => url.origin !== server.issuer);
  thief.forgetCookies('device');
  await new Promise((resolve) => setTimeout(resolve, 6100));
  await thief.get('/account/prove?next=/account/methods');

  const strangers = await Promise.all(Array.from({ length: 34 }, () => atSignIn(server, portal)));
  const recovering = await Promise.all(
    Array.from({ length: 33 }, async () => {
      const browser = server.browser();
      await browser.get('/recover/with-code');
      return browser;
    }),
  );
  const proveForm = thief.page.text;
  const guesses: Promise<Page>[] = [
    ...strangers.map((browser, n) =>
      browser.submit({ identifier: NAMES[n % NAMES.length]!, password: `wrong ${n}` }, '/identify'),
    ),
    ...recovering.map((browser, n) =>
      browser.submit({ identifier: NAMES[n % NAMES.length]!, recoveryCode: 'AAAA-BBBB-CCCC-DDDD' }, '/with-code'),
    ),
  ];
  const token = /name="form_token" value="([^"]+)"/.exec(proveForm)?.[1] ?? '';
  for (let n = 0; n < 33; n += 1)
    guesses.push(thief.post('/account/prove', { form_token: token, next: '/account/methods', password: `wrong ${n}` }));
  const ownerAgain = server.browser();
  const device = owner.cookie('device');
  ownerAgain.setCookie(server.issuer, `device=${device?.value}; Path=/`);
  const [callback] = await Promise.all([server.signIn(ownerAgain, portal), ...guesses]);
  t.truthy(callback.searchParams.get('code'), 'D8 V23 the owner on a known device');

  const verdicts =
    (await times(server, 'sign-in.refused', 'mismatch')) + (await times(server, 'recovery.refused', 'mismatch'));
  const locked =
    (await times(server, 'sign-in.refused', 'locked')) + (await times(server, 'recovery.refused', 'locked'));
  t.is(verdicts, LIMIT, 'verdicts');
  t.is(locked, 100 - LIMIT);
});

test('S5 X6 a restart gives nobody new guesses', async (t) => {
  const server = await startServer(t, { limits: { failuresPerAccount: 2 } });
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  for (let n = 0; n < 2; n += 1)
    await (await atSignIn(server, portal)).submit({ identifier: WANG.idNumber, password: 'wrong' }, '/identify');
  const rows = await server.house.database.all<{ name: string }>('SELECT name FROM counters', []);
  t.true(
    rows.some(({ name }) => name.startsWith('attempts:account:')),
    'counted in the store',
  );
  const again = createAttempts({
    counters: createSqlCounters(server.house.database),
    limits: server.house.config.limits,
  });
  const account = rows.map(({ name }) => /^attempts:account:(psn_[\w-]+):1$/.exec(name)?.[1]).find(Boolean) ?? '';
  t.is(await again.take({ account, address: '198.51.100.1' }), 'account_exhausted');
});

test('D6 D11 V31 a new code is no new allowance: the codes of one account are counted together', async (t) => {
  const server = await startServer(t, { limits: { failuresPerAccount: 1, failuresPerAddress: 1000 } });
  const wang = await server.addPerson(WANG);
  await withNames(server, wang);
  const wrong = async (): Promise<string> => {
    const browser = server.browser();
    await browser.get('/recover');
    await browser.submit({ name: WANG.name, idNumber: WANG.idNumber }, '/recover');
    await browser.follow();
    let last = '';
    for (let n = 0; n < 3; n += 1) last = (await browser.submit({ code: '000000' }, '/recover/code')).text;
    return last;
  };
  await wrong();
  t.is(await times(server, 'recovery.refused', 'code_mismatch'), 3);
  await wrong();
  t.is(await times(server, 'recovery.refused', 'code_mismatch'), 4, 'the fourth is the last');
  t.is(await times(server, 'recovery.refused', 'code_exhausted'), 2);
});

test('D9 V31 codes of a number nobody has run into the same limit', async (t) => {
  const server = await startServer(t, { limits: { failuresPerAccount: 1, failuresPerAddress: 1000 } });
  const browser = server.browser();
  const reasons: string[] = [];
  for (let round = 0; round < 2; round += 1) {
    await browser.get('/recover?new=1');
    await browser.submit({ name: WANG.name, idNumber: WANG.idNumber }, '/recover');
    await browser.follow();
    for (let n = 0; n < 3; n += 1) await browser.submit({ code: '000000' }, '/recover/code');
    reasons.push(String(await times(server, 'recovery.refused', 'code_mismatch')));
  }
  t.deepEqual(reasons, ['3', '4']);
  t.is(await times(server, 'recovery.refused', 'code_exhausted'), 2);
});

test('V31 X6 wrong secrets of a portal are limited per address and name, and the portal itself goes on from elsewhere', async (t) => {
  const server = await startServer(t, { limits: { portalFailuresPerAddress: 3 } });
  const [portal, other] = [await server.addPortal(), await server.addPortal()];
  const ask = (secret: string, at = portal): Promise<number> =>
    server.token({ ...at, secret }, { grant_type: 'client_credentials' }).then(({ status }) => status);
  t.is(await ask(portal.secret), 200);
  t.deepEqual([await ask('wrong'), await ask('wrong'), await ask('wrong')], [401, 401, 401]);
  t.is(await ask(portal.secret), 429, 'also with the right one, from this address');
  t.is(await ask(other.secret, other), 200, 'another portal behind the same address');
  for (const path of ['/token/introspection', '/token/revocation', '/request']) {
    const response = await fetch(server.issuer + path, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${portal.id}:wrong`)}` },
      body: new URLSearchParams({ token: 'x' }),
    });
    t.is(response.status, 429, path);
  }
});
