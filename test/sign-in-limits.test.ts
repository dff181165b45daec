import test from 'ava';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { documentOf, identifierOf } from './support/people.ts';
import { withoutChance } from './support/same-page.ts';
import { authorizationPath, LI, PASSWORD, redemption, startServer, type TestServer, WANG } from './support/server.ts';

const UNKNOWN = '449900200002290028';

async function open(server: TestServer, client: { id: string; secret: string }): Promise<HttpBrowser> {
  const browser = server.browser();
  await browser.get(authorizationPath(client));
  await browser.follow();
  return browser;
}

const attempt = (browser: HttpBrowser, identifier: string, password: string): Promise<Page> =>
  browser.submit({ identifier, password }, '/identify');

const REFUSED = 401;

test('D7 V21 V41 a hundred wrong passwords at once get no more verdicts than the limit allows', async (t) => {
  const server = await startServer(t, {
    limits: { failuresPerAccount: 5, failuresPerAddress: 10_000 },
    password: { queueMax: 1000, queueDeadlineMs: 20_000 },
  });
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const spellings = [WANG.idNumber, '３３９９００１９９００１０１１０１４', '339900900101101', ' 339900199001011014'];
  const browsers = await Promise.all(Array.from({ length: 100 }, () => open(server, portal)));
  const began = performance.now();
  const pages = await Promise.all(
    browsers.map((browser, at) => attempt(browser, spellings[at % spellings.length]!, `wrong ${at}`)),
  );
  const tookMs = performance.now() - began;
  t.true(pages.every(({ status }) => status === REFUSED));
  const events = await server.events('sign-in.refused');
  const times = (reason: string): number =>
    events.filter(({ data }) => data.reason === reason).reduce((sum, { data }) => sum + Number(data.repeated ?? 1), 0);
  t.is(times('mismatch'), 5, 'verdicts');
  t.is(times('locked'), 95);
  const counts = events.filter(({ data }) => data.repeated !== undefined);
  t.is(events.length - counts.length, 10, 'L12 a flood is counted inside the ledger after the first ten');
  t.true(counts.length <= Math.ceil(tookMs / 200), 'L12 and written five times a second, however many come');
  const right = await attempt(await open(server, portal), WANG.idNumber, PASSWORD);
  t.is(right.status, REFUSED, 'the right one is no exception while the account is closed');
});

test('D6 D7 V41 a hundred guesses at once over all identifiers of one account get no more verdicts than one of them', async (t) => {
  const server = await startServer(t, {
    limits: { failuresPerAccount: 5, failuresPerAddress: 10_000 },
    password: { queueMax: 1000, queueDeadlineMs: 20_000 },
  });
  const wang = await server.addPerson(WANG);
  const { persons, identifiers } = server.house;
  const names = ['13800000000', 'wang@example.cn', 'xiao.ming'] as const;
  const proof = { origin: 'test', verifiedBy: 'one_time_code' };
  for (const [at, type] of (['phone', 'email', 'user_name'] as const).entries())
    t.true((await identifiers.bind(wang, identifierOf(type, names[at]!), proof)).ok);
  await persons.addDocument(
    wang,
    { document: documentOf('foreign_passport', 'C01X00T47', 'DEU'), proof: { level: 1 } },
    proof,
  );
  const portal = await server.addPortal();
  const all = [
    WANG.idNumber,
    '339900900101101',
    'DEU:c01x00t47',
    ...names,
    '+86 138-0000-0000',
    'XIAO.MING',
    'Ｗang@example.cn',
  ];
  const browsers = await Promise.all(Array.from({ length: 100 }, () => open(server, portal)));
  const pages = await Promise.all(
    browsers.map((browser, at) => attempt(browser, all[at % all.length]!, `wrong ${at}`)),
  );
  t.deepEqual([...new Set(pages.map(({ status }) => status))], [REFUSED]);
  const events = await server.events('sign-in.refused');
  const times = (reason: string): number =>
    events.filter(({ data }) => data.reason === reason).reduce((sum, { data }) => sum + Number(data.repeated ?? 1), 0);
  t.is(times('mismatch'), 5, 'verdicts');
  t.is(times('locked'), 95);
});

test('whoever is here signs in by any name that is theirs, also without a name or a number of a card', async (t) => {
  const server = await startServer(t);
  const scope = 'openid profile identity age phone id_number';
  const portal = await server.addPortal({ scope, approved_scopes: ['id_number'] });
  const { persons, identifiers, passwords } = server.house;
  const net = documentOf('net_number', 'Ab3dEf6hIj9kLm2nOp5q');
  const prepared = await passwords.prepare(PASSWORD);
  if (prepared === 'busy') throw new Error('busy');
  const added = await persons.add({ document: net, ial: 3, origin: 'test' }, (tx, person) =>
    passwords.store(tx, person.id, prepared, 'test'),
  );
  if (!added.ok) throw new Error(added.reason);
  await identifiers.bind(added.person.id, identifierOf('user_name', 'yun.shan'), {
    origin: 'test',
    verifiedBy: 'chosen',
  });

  for (const identifier of [net.number, 'Yun.Shan']) {
    const browser = server.browser();
    const callback = await server.signIn(browser, portal, { identifier, query: { scope } });
    const { body } = await server.token(portal, redemption(callback));
    const userinfo = await fetch(`${server.issuer}/me`, { headers: { authorization: `Bearer ${body.access_token}` } });
    const { sub, updated_at: updatedAt, ...claims } = (await userinfo.json()) as Record<string, unknown>;
    t.is(typeof sub, 'string');
    t.is(typeof updatedAt, 'number');
    t.deepEqual(claims, { id_number_masked: 'Ab3dE**********nOp5q', id_type: 'net_number', ial: 3 });
    t.deepEqual(await server.events('personal-data.released'), [], 'what a portal did not get is not told as given');

    const account = await browser.get('/account');
    t.is(account.status, 200);
    for (const text of ['未提供姓名', 'Ab3dE**********nOp5q']) t.true(account.text.includes(text), text);
    t.is((await browser.get('/account/trail')).status, 200);
    t.false((await browser.get('/')).text.includes('undefined'));
    await browser.get(authorizationPath(portal, { prompt: 'select_account' }));
    const asked = await browser.follow();
    t.regex(asked.text, /value="continue"/);
    t.true(asked.text.includes('未提供姓名'));
    await browser.get(authorizationPath(portal, { prompt: 'consent' }));
    t.true(
      (await browser.follow()).text.includes('<bdi>Ab3dE**********nOp5q</bdi>'),
      'consent is given by somebody all the same',
    );
  }
});

test('D8 V23 strangers who close an account do not keep out the browser its owner has used before', async (t) => {
  const server = await startServer(t, { limits: { failuresPerAccount: 2 } });
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const known = server.browser();
  await server.signIn(known, portal);
  await known.get('/session/end');
  await known.submit({ logout: 'yes' }, '/session/end/confirm');
  for (let time = 0; time < 4; time += 1) await attempt(await open(server, portal), WANG.idNumber, 'wrong');
  t.is((await attempt(await open(server, portal), WANG.idNumber, PASSWORD)).status, REFUSED, 'a strange browser');
  t.truthy((await server.signIn(known, portal)).searchParams.get('code'));

  const thief = server.browser();
  thief.setCookie(server.issuer, `device=${'A'.repeat(43)}; Path=/`);
  await thief.get(authorizationPath(portal));
  await thief.follow();
  t.is((await attempt(thief, WANG.idNumber, PASSWORD)).status, REFUSED, 'a made-up device');
});

test('D9 V6 unknown, wrong, closed and disabled are one answer, byte for byte', async (t) => {
  const server = await startServer(t, { limits: { failuresPerAccount: 2 } });
  await server.addPerson(WANG);
  const disabled = await server.addPerson(LI);
  await server.house.persons.disable(disabled, 'test');
  const portal = await server.addPortal();

  const answer = async (identifier: string, password: string) => {
    const browser = await open(server, portal);
    const uid = new URL(browser.page.url).pathname.split('/').at(-1) ?? '';
    const page = await attempt(browser, identifier, password);
    const text = withoutChance(page.text, uid, identifier);
    const cookies = page.setCookies.map((cookie) => cookie.replace(/=[^;]*/, ''));
    return { status: page.status, text, headers: Object.keys(page.headers).sort(), cookies };
  };

  const wrong = await answer(WANG.idNumber, 'wrong');
  t.is(wrong.status, REFUSED);
  t.deepEqual(await answer(UNKNOWN, 'wrong'), wrong, 'unknown');
  t.deepEqual(await answer(LI.idNumber, PASSWORD), wrong, 'disabled with the right password');
  t.deepEqual(await answer(LI.idNumber, 'wrong'), wrong, 'disabled with a wrong one');
  await answer(WANG.idNumber, 'wrong');
  t.deepEqual(await answer(WANG.idNumber, PASSWORD), wrong, 'closed with the right password');
  for (let time = 0; time < 3; time += 1) await answer(UNKNOWN, 'wrong');
  t.deepEqual(await answer(UNKNOWN, 'wrong'), wrong, 'unknown and closed');
});

test('X6 an address that guesses at everybody is told to wait, without touching anybody’s account', async (t) => {
  const server = await startServer(t, { limits: { failuresPerAddress: 3, failuresPerAccount: 5 } });
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const browser = await open(server, portal);
  for (let time = 0; time < 3; time += 1) t.is((await attempt(browser, UNKNOWN, 'wrong')).status, REFUSED);
  const refused = await attempt(browser, WANG.idNumber, PASSWORD);
  t.is(refused.status, 429);
  t.regex(String(refused.headers['retry-after']), /^\d+$/);
  const reasons = (await server.events('sign-in.refused')).map(({ data }) => data.reason);
  t.is(reasons.filter((reason) => reason === 'address_limit').length, 1);
  t.is(reasons.length, 4);
});

test('D1 X6 a password longer than any may be costs nothing and is refused like a wrong one', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  for (const password of ['x'.repeat(257), 'x'.repeat(4096), '汉'.repeat(300)]) {
    t.is((await attempt(await open(server, portal), WANG.idNumber, password)).status, REFUSED);
  }
  t.is((await attempt(await open(server, portal), WANG.idNumber, 'x'.repeat(5000))).status, 400);
});

test('G4 H5 F6 the ledger holds neither password nor full number, whatever was typed', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  await attempt(await open(server, portal), WANG.idNumber, 'my-secret-typo');
  await attempt(await open(server, portal), UNKNOWN, 'line\r\nbreak\u001b[31m');
  await server.signIn(server.browser(), portal);
  const rows = JSON.stringify(await server.house.database.all('SELECT * FROM ledger_entries', []));
  for (const secret of [WANG.idNumber, UNKNOWN, 'my-secret-typo', PASSWORD, 'break'])
    t.false(rows.includes(secret), secret);
});
