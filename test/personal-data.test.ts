import test, { type ExecutionContext } from 'ava';
import type { ConfigOverrides } from '../src/config/schema.ts';
import { parseIdentifier } from '../src/people/identifiers/identifier.ts';
import { createSignInPlaces } from '../src/people/sign-in-places.ts';
import { turnClock } from '../src/shared/clock.ts';
import { hiddenField } from './support/hidden-field.ts';
import { COMPANY } from './support/legal-persons.ts';
import { PASSWORD, startServer, WANG } from './support/server.ts';
import { BROWSER, HERE, oneTold, toldBy } from './support/told-events.ts';
import { signedToTheEnd } from './support/trail.ts';

const PHONE = '+8613800000003';

test.afterEach.always(() => turnClock(0));

async function signedIn(
  t: ExecutionContext,
  overrides: ConfigOverrides = {},
  person: { idNumber: string; name: string } = WANG,
) {
  const server = await startServer(t, { ledger: { checkpointIntervalMs: 100 }, ...overrides });
  const id = await server.addPerson(person);
  const portal = await server.addPortal({ purpose: '办理入学' });
  const browser = server.browser(BROWSER);
  await server.signIn(browser, portal, { identifier: person.idNumber });
  return { server, id, portal, browser };
}

test.serial('a person fetches everything that is kept about them, and nothing secret is in it', async (t) => {
  const { server, id, portal, browser } = await signedIn(t);
  const { house } = server;
  const phone = parseIdentifier('phone', PHONE);
  if (!phone.ok) return t.fail(phone.reason);
  await house.identifiers.bind(id, phone.identifier, { origin: 'test', verifiedBy: 'test' });
  const claimed = await house.legalPersons.claim({ personId: id, ...COMPANY });
  t.true(claimed.ok);
  const places = createSignInPlaces(house.database);
  await house.database.write((tx) => places.remember(tx, id, { region: '杭州', latitude: 30.25, longitude: 120.17 }));
  const trusted = house.trustedDevices.trust(id, { address: '203.0.113.7', userAgent: 'a browser at home' });
  await house.database.write((tx) => trusted.write(tx));
  await signedToTheEnd(server);
  await browser.get('/account/data');
  const answer = await browser.submit({}, '/account/data/export');
  t.is(answer.status, 200);
  t.regex(String(answer.headers['content-disposition']), /^attachment; filename="my-data-\d{4}-\d\d-\d\d\.json"$/);
  t.is(answer.headers['cache-control'], 'no-store');
  const data = JSON.parse(answer.text);
  t.is(data.format, 'tongban-personal-data/1');
  t.like(data.person, { id, name: WANG.name, birthDate: '1990-01-01', level: 2, phone: PHONE, phoneVerified: true });
  t.like(data.documents, { length: 1, 0: { type: 'resident_id_card', number: WANG.idNumber, primary: true } });
  t.like(data.identifiers, { length: 1, 0: { type: 'phone' } });
  t.like(data.consents, { length: 1, 0: { portal: portal.id, scopes: ['openid', 'profile'] } });
  t.like(data.consentRecords, { length: 1, 0: { act: 'given', purpose: '办理入学' } });
  t.like(data.places, { length: 1, 0: { region: '杭州' } });
  t.deepEqual(Object.keys(data.knownBrowsers[0]).sort(), ['firstSeenAt', 'seenAt']);
  t.like(data.trustedBrowsers, { length: 1, 0: { browser: 'a browser at home', address: '203.0.113.7' } });
  t.deepEqual(Object.keys(data.trustedBrowsers[0]).sort(), ['address', 'browser', 'expiresAt', 'seenAt', 'trustedAt']);
  t.like(data.posts, { length: 1, 0: { company: COMPANY.name, role: 'legal_representative' } });
  t.like(data.sessions, { length: 1, 0: { address: '127.0.0.1', browser: BROWSER['user-agent'] } });
  const signIn = data.trail.find(({ event }: { event: string }) => event === 'sign-in.succeeded');
  t.like(signIn, { by: 'self', portal: portal.id, address: '127.0.0.1', browser: BROWSER['user-agent'] });
  const sessions = await house.database.all<{ uid: string }>('SELECT uid FROM sessions', []);
  const hashes = await house.database.all<{ hash: string }>('SELECT hash FROM passwords', []);
  const device = browser.cookie('device')?.value;
  t.truthy(device);
  for (const secret of [
    PASSWORD,
    String(device),
    trusted.secret,
    ...sessions.map(({ uid }) => uid),
    ...hashes.map(({ hash }) => hash),
  ]) {
    t.false(answer.text.includes(secret));
  }
  t.like(await toldBy(answer, 'personal-data.exported', server), { ...HERE, subject: id, data: { form: 'json' } });
});

test.serial('the same is a page people can read', async (t) => {
  const { server, browser } = await signedIn(t);
  await signedToTheEnd(server);
  await browser.get('/account/data');
  const page = await browser.submit({}, '/account/data/show');
  for (const shown of [
    WANG.name,
    WANG.idNumber,
    '办理入学',
    '用过的浏览器',
    '信任的浏览器',
    '使用记录',
    'sign-in.succeeded',
  ])
    t.true(page.text.includes(shown), shown);
  t.is((await browser.get('/account/data/show')).status, 404, 'nothing of it stays at an address');
});

test.serial('D15 the export wants a fresh proof, and there are only so many a day', async (t) => {
  const { server, browser } = await signedIn(t, { person: { exportsDaily: 2 } });
  const page = await browser.get('/account/data');
  const ask = () => browser.post('/account/data/export', { form_token: hiddenField(page) });
  t.is((await ask()).status, 200);
  t.is((await ask()).status, 200);
  t.is((await ask()).status, 429);
  turnClock(301_000);
  const asked = await ask();
  t.true(asked.text.includes('name="password"'));
  t.false(asked.text.includes(WANG.idNumber));
  t.is((await server.events('personal-data.exported')).length, 2);
});

test.serial('X12 a name is corrected by the word of the register, which may also not answer', async (t) => {
  const { server, id, browser } = await signedIn(t, {}, { ...WANG, name: '王小旧' });
  const { persons, database } = server.house;
  await database.run('UPDATE persons SET ial = 4 WHERE id = $1', [id]);
  const correct = async (name: string) => {
    await browser.get('/account/documents/correct');
    return browser.submit({ name }, '/account/documents/correct');
  };
  t.is((await correct('王大明')).status, 400);
  t.is((await persons.profile(id))?.name, '王小旧');
  t.like(await oneTold('person.correction-refused', { subject: id }, server), { data: { reason: 'mismatch' } });
  t.is((await correct('王小旧')).status, 400);
  const corrected = await correct(WANG.name);
  t.is(corrected.status, 303);
  t.like(await persons.profile(id), { name: WANG.name, ial: 2 });
  t.like(await toldBy(corrected, 'person.corrected', server), {
    subject: id,
    data: { before: 'sealed 王小旧', after: `sealed ${WANG.name}`, level: 2, source: 'sample-population-register' },
  });
  t.like(await oneTold('identity.level-changed', { subject: id }, server), {
    data: { before: 4, after: 2, reason: 'corrected' },
  });
  const notices = (await server.events('person.notified')).map(({ data }) => data.notice);
  t.true(notices.includes('name-corrected') && notices.includes('level-fell'));

  const silent = await signedIn(t, {}, { idNumber: '339900197001010135', name: '无人答' });
  await silent.browser.get('/account/documents/correct');
  const unanswered = await silent.browser.submit({ name: '无人应' }, '/account/documents/correct');
  t.is(unanswered.status, 503);
  t.true(unanswered.text.includes('没有被判为错误'));
  t.is((await silent.server.events('person.correction-refused')).length, 0);
});
