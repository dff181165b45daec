import test from 'ava';
import { noticeHash, noticeText, termsKey } from '../src/oidc/consent-records.ts';
import { sqliteDatabase } from './support/databases.ts';
import { authorizationPath, PASSWORD, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';

const TERMS = {
  purpose: '核对您的医保待遇',
  'purpose#en': 'to check what your insurance pays',
  legal_basis: 'statutory_duty',
  notice_version: '2026-03',
} as const;

async function asked(server: TestServer, portal: TestPortal, browser = server.browser()) {
  await browser.get(authorizationPath(portal));
  await browser.follow(({ origin }) => origin !== server.issuer);
  if (browser.page.text.includes('name="password"')) {
    await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/identify');
    await browser.follow(({ origin }) => origin !== server.issuer);
  }
  return browser;
}

const records = ({ house }: TestServer) =>
  house.database.all<Record<string, unknown>>('SELECT * FROM consent_records ORDER BY id', []);

test('a consent is written down with purpose, basis, version and the very words that were shown', async (t) => {
  const server = await startServer(t);
  const id = await server.addPerson(WANG);
  const portal = await server.addPortal({ client_name: '医保窗口', ...TERMS });
  const browser = await asked(server, portal);
  for (const shown of [TERMS.purpose, TERMS.notice_version, '履行法定职责'])
    t.true(browser.page.text.includes(shown), shown);
  const given = await browser.submit({ decision: 'allow' }, '/consent');
  await browser.follow(({ origin }) => origin !== server.issuer);
  const [record, ...others] = await records(server);
  t.is(others.length, 0);
  t.like(record, {
    person_id: id,
    client_id: portal.id,
    act: 'given',
    purpose: TERMS.purpose,
    legal_basis: 'statutory_duty',
    notice_version: '2026-03',
    language: 'zh-CN',
    channel: 'web',
    scopes: JSON.stringify(['openid', 'profile']),
  });
  const text = await noticeText(server.house.database, String(record?.notice_hash));
  t.is(noticeHash(text ?? ''), String(record?.notice_hash));
  for (const said of ['医保窗口', TERMS.purpose, '姓名、性别、出生日期']) t.true(text?.includes(said), said);
  t.false(text?.includes(WANG.name));
  const [event] = await server.events('consent.given');
  t.is(event?.data.noticeHash, String(record?.notice_hash));
  t.is(given.status, 303);

  await browser.get('/account/portals/history');
  for (const shown of ['医保窗口', TERMS.purpose, String(record?.notice_hash)])
    t.true(browser.page.text.includes(shown), shown);
  await browser.get('/account/portals');
  await browser.submit({}, '/account/portals/withdraw');
  const after = await records(server);
  t.deepEqual(
    after.map(({ act }) => act),
    ['given', 'withdrawn'],
  );
  t.deepEqual(after[0], record, 'what was given stays as it was');
});

test('another purpose, basis or version asks again; the same does not, and neither does another name', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const portal = await server.addPortal();
  const record = async (more: object) => {
    const party = await server.house.relyingParties.inspect(portal.id);
    const outcome = await server.house.relyingParties.update(portal.id, { ...party!.record, ...more }, 'test');
    if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  };
  const browser = await asked(server, portal);
  await browser.submit({ decision: 'allow' }, '/consent');
  await browser.follow(({ origin }) => origin !== server.issuer);
  const isAsked = async (): Promise<boolean> => {
    await asked(server, portal, browser);
    return browser.page.text.includes('/consent"');
  };
  t.false(await isAsked());
  await record({ client_name: '新名字' });
  t.false(await isAsked());
  for (const change of [{ purpose: '办理社保' }, { legal_basis: 'statutory_duty' }, { notice_version: '2' }]) {
    await record(change);
    t.true(await isAsked(), JSON.stringify(change));
    const { status } = await browser.submit({ decision: 'allow' }, '/consent');
    t.is(status, 303);
    await browser.follow(({ origin }) => origin !== server.issuer);
    t.false(await isAsked());
  }
  t.is((await records(server)).length, 4);
});

test('nobody writes over what was consented to', async (t) => {
  const database = await sqliteDatabase(t);
  await database.run(
    `INSERT INTO consent_records (id, person_id, client_id, act, scopes, claims, legal_basis, channel, at)
     VALUES ('cns_1', 'psn_1', 'portal', 'given', '[]', '[]', 'consent', 'web', 1)`,
    [],
  );
  await t.throwsAsync(database.run(`UPDATE consent_records SET scopes = '["openid"]' WHERE id = 'cns_1'`, []), {
    message: /never changed/,
  });
});

test('terms are the same exactly when purpose, basis and version are', (t) => {
  t.is(termsKey({}), null);
  t.is(termsKey({ legal_basis: 'consent' }), null, 'consent is what holds where nothing is said');
  const keys = [
    TERMS,
    { ...TERMS, purpose: 'x' },
    { ...TERMS, 'purpose#en': 'x' },
    { ...TERMS, legal_basis: 'contract' },
    { ...TERMS, notice_version: '2' },
    { purpose: 'a', notice_version: 'b' },
    { purpose: 'b', notice_version: 'a' },
  ].map(termsKey);
  t.is(new Set(keys).size, keys.length);
  t.is(termsKey(TERMS), termsKey({ ...TERMS }));
});
