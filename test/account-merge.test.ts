import test, { type ExecutionContext } from 'ava';
import { parseDocument } from '../src/people/documents/parse.ts';
import { parseIdentifier } from '../src/people/identifiers/identifier.ts';
import { createSignInPlaces } from '../src/people/sign-in-places.ts';
import { turnClock } from '../src/shared/clock.ts';
import { hiddenField } from './support/hidden-field.ts';
import { COMPANY } from './support/legal-persons.ts';
import { DAY_MS, night } from './support/nights.ts';
import { introspect } from './support/portal-calls.ts';
import { PASSWORD, redemption, startServer, type TestPortal, type TestServer, WANG } from './support/server.ts';
import { allTold, BROWSER, HERE, toldBy } from './support/told-events.ts';

const PASSPORT = 'E12345678';
const PHONE = '+8613800000002';
const PASSPORT_PASSWORD = 'another horse battery';

test.afterEach.always(() => turnClock(0));

const bind = async ({ house }: TestServer, id: string, type: 'phone' | 'email', value: string): Promise<void> => {
  const read = parseIdentifier(type, value);
  if (!read.ok) throw new Error(read.reason);
  await house.identifiers.bind(id, read.identifier, { origin: 'test', verifiedBy: 'test' });
};

/** Somebody came twice: once with a passport and a phone, once with the citizen ID number. */
async function twoAccounts(t: ExecutionContext, name: string = WANG.name) {
  const server = await startServer(t, { limits: { failuresPerAccount: 5 } });
  const { house } = server;
  const card = await server.addPerson(WANG);
  const read = parseDocument('prc_passport', 'CN', PASSPORT);
  if (!read.ok) throw new Error(read.reason);
  const prepared = await house.passwords.prepare(PASSPORT_PASSWORD);
  if (prepared === 'busy') throw new Error('busy');
  const added = await house.persons.add({ document: read.document, name, ial: 3, origin: 'test' }, (tx, person) =>
    house.passwords.store(tx, person.id, prepared, 'test'),
  );
  if (!added.ok) throw new Error(added.reason);
  const passport = added.person.id;
  await bind(server, passport, 'phone', PHONE);
  const portal = await server.addPortal();
  const browser = server.browser(BROWSER);
  await server.signIn(browser, portal);
  return { server, card, passport, portal, browser };
}

type Two = Awaited<ReturnType<typeof twoAccounts>>;

async function prove({ browser }: Two, password = PASSPORT_PASSWORD) {
  await browser.get('/account/merge');
  return browser.submit({ identifier: PHONE, password }, '/account/merge');
}

const choose = ({ browser }: Two, keep: 'this' | 'other') => browser.submit({ keep }, '/account/merge/choose');

const documentsOf = async ({ house }: TestServer, id: string) =>
  (await house.persons.documents(id)).map(({ document, primary }) => `${document.type}${primary ? '*' : ''}`).sort();

const signedInAt = (server: TestServer, portal: TestPortal, identifier: string, password: string) => {
  const browser = server.browser(BROWSER);
  return server.signIn(browser, portal, { identifier, password }).catch(() => undefined);
};

test.serial('two accounts of one person, both proven, become one, and everything goes over', async (t) => {
  const two = await twoAccounts(t);
  const { server, card, passport, portal } = two;
  const { legalPersons, mandates, persons, identifiers } = server.house;
  const claimed = await legalPersons.claim({ personId: card, ...COMPANY });
  if (!claimed.ok) return t.fail(claimed.reason);
  const granted = await mandates.grant(
    {
      kind: 'agent',
      legalPersonId: claimed.legalPerson.id,
      agent: { personId: passport },
      matters: ['company-registration'],
    },
    { personId: card },
  );
  if (!granted.ok) return t.fail(granted.reason);
  const other = await server.addPortal();
  const callback = await signedInAt(server, other, PHONE, PASSPORT_PASSWORD);
  const { body } = await server.token(other, redemption(callback!));
  const proven = await prove(two);
  t.true(proven.text.includes('*小明'));
  t.false(proven.text.includes(PASSPORT));
  t.like(await toldBy(proven, 'account-merge.proven', server), { ...HERE, subject: passport, data: { with: card } });
  const merged = await choose(two, 'this');
  t.is(merged.status, 200);
  t.true(merged.text.includes('两个账户已合并'));
  t.is((await persons.find(passport))?.status, 'merged');
  t.deepEqual(await documentsOf(server, card), ['prc_passport', 'resident_id_card*']);
  t.deepEqual(
    (await identifiers.list(card)).map(({ type }) => type),
    ['phone'],
  );
  t.is((await persons.profile(card))?.phone, PHONE);
  t.is((await persons.find(card))?.ial, 3);
  t.is((await mandates.find(granted.mandate.id))?.agentPersonId, card);
  t.like(await introspect(server, other, String(body.access_token)), { active: false });
  t.truthy(await signedInAt(server, other, PHONE, PASSWORD), 'the phone signs in to the account that was kept');
  t.is(await signedInAt(server, portal, PHONE, PASSPORT_PASSWORD), undefined);
  const events = await allTold(server, 'person.merged');
  t.deepEqual(events.map(({ subject }) => subject).sort(), [card, passport].sort());
  t.like(events[0]?.data, {
    kept: card,
    merged: passport,
    levelBefore: 2,
    levelAfter: 3,
    documents: 1,
    identifiers: 1,
    mandates: 1,
  });
  const told = (await server.events('person.notified')).filter(({ data }) => data.notice === 'accounts-merged');
  t.deepEqual(told.map(({ subject }) => subject).sort(), [card, passport].sort());
});

test.serial('with a post of each at one company nothing is merged, and nothing of it has gone over', async (t) => {
  const two = await twoAccounts(t);
  const { server, card, passport } = two;
  const { legalPersons, persons, identifiers } = server.house;
  const claimed = await legalPersons.claim({ personId: card, ...COMPANY });
  if (!claimed.ok) return t.fail(claimed.reason);
  t.true((await legalPersons.appoint(claimed.legalPerson.id, passport, { personId: card })).ok);
  await prove(two);
  const refused = await choose(two, 'this');
  t.is(refused.status, 400);
  t.true(refused.text.includes('请先卸任其中一个'));
  for (const id of [card, passport]) t.is((await persons.find(id))?.status, 'active');
  t.deepEqual(await documentsOf(server, card), ['resident_id_card*']);
  t.deepEqual(await documentsOf(server, passport), ['prc_passport*']);
  t.is((await identifiers.list(passport)).length, 1);
  t.is((await server.events('person.merged')).length, 0);
});

test.serial('the other may be kept: then this browser has to sign in anew', async (t) => {
  const two = await twoAccounts(t);
  const { server, card, passport, browser } = two;
  await prove(two);
  const merged = await choose(two, 'other');
  t.true(merged.text.includes('请用它重新登录'));
  t.is((await server.house.persons.find(card))?.status, 'merged');
  t.deepEqual(await documentsOf(server, passport), ['prc_passport', 'resident_id_card*']);
  t.is((await browser.get('/account')).status, 303);
  t.is((await server.events('session.ended')).filter(({ data }) => data.cause === 'account_merged').length, 1);
});

test.serial('for thirty days it can be undone, and both are what they were', async (t) => {
  const two = await twoAccounts(t);
  const { server, card, passport, portal, browser } = two;
  const { persons, identifiers } = server.house;
  const other = await server.addPortal();
  await signedInAt(server, other, PHONE, PASSPORT_PASSWORD);
  const consents = async (id: string) =>
    (
      await server.house.database.all<{ client_id: string }>(
        'SELECT client_id FROM consents WHERE person_id = $1 ORDER BY client_id',
        [id],
      )
    ).map(({ client_id: client }) => client);
  const before = [await consents(card), await consents(passport)];
  const places = createSignInPlaces(server.house.database);
  const been = async (id: string) => (await places.of(id)).map(({ place, at }) => `${place.region} ${at}`);
  const goTo = async (id: string, region: string, seconds: number) => {
    turnClock(seconds * 1000);
    await server.house.database.write((tx) => places.remember(tx, id, { region, latitude: 30, longitude: 120 }));
    turnClock(0);
  };
  await goTo(card, '杭州', -500);
  await goTo(card, '宁波', -300);
  await goTo(passport, '宁波', -200);
  await goTo(passport, '温州', -100);
  const seen = [await been(card), await been(passport)];
  await prove(two);
  await choose(two, 'this');
  t.deepEqual(await consents(card), [...before[0]!, ...before[1]!].sort());
  t.deepEqual(await been(card), [...seen[1]!, seen[0]![1]!], 'one person has been in all of them');
  t.deepEqual(await been(passport), []);
  await browser.get('/account/data');
  const undone = await browser.submit({}, '/account/merge/undo');
  t.true(undone.text.includes('合并已撤销'), undone.location);
  t.deepEqual([(await persons.find(card))?.status, (await persons.find(passport))?.status], ['active', 'active']);
  t.deepEqual([(await persons.find(card))?.ial, (await persons.find(passport))?.ial], [2, 3]);
  t.deepEqual(await documentsOf(server, card), ['resident_id_card*']);
  t.deepEqual(await documentsOf(server, passport), ['prc_passport*']);
  t.deepEqual(await identifiers.list(card), []);
  t.is((await persons.profile(passport))?.phone, PHONE);
  t.is((await persons.profile(card))?.phone, undefined);
  t.deepEqual([await consents(card), await consents(passport)], before);
  t.deepEqual([await been(card), await been(passport)], seen);
  t.truthy(await signedInAt(server, portal, PHONE, PASSPORT_PASSWORD));
  t.is((await browser.get('/account')).status, 303, 'both sign in anew');
  t.is((await server.events('person.merge-undone')).length, 2);
});

test.serial(
  'what has changed since is no longer taken back, and the refusal says why; after thirty days nothing is',
  async (t) => {
    const two = await twoAccounts(t);
    const { server, card, passport, browser } = two;
    const { house } = server;
    await prove(two);
    await choose(two, 'this');
    const [merge] = await house.merges.of(card);
    const stranger = await server.addPerson({ idNumber: '33990019850701009X', name: '李思远' });
    t.deepEqual(await house.merges.undo(merge!.id, { origin: 'test' }, stranger), { ok: false, reason: 'late' });
    await bind(server, stranger, 'phone', PHONE);
    await browser.get('/account/data');
    const refused = await browser.submit({}, '/account/merge/undo');
    t.is(refused.status, 303);
    await browser.follow();
    t.true(browser.page.text.includes('手机号码、邮箱或用户名已经变动'));
    t.deepEqual(await documentsOf(server, card), ['prc_passport', 'resident_id_card*'], 'nothing of it stayed');
    t.is((await house.persons.find(passport))?.status, 'merged');
    t.like(await allTold(server, 'person.merge-refused'), { length: 1 });
    turnClock(31 * DAY_MS);
    await night(house);
    t.is((await house.merges.of(card))[0]?.state, 'final');
    t.deepEqual(await house.merges.undo(merge!.id, { origin: 'test' }), { ok: false, reason: 'late' });
    const row = await house.database.get<Record<string, unknown>>('SELECT * FROM persons WHERE id = $1', [passport]);
    for (const [column, value] of Object.entries(row ?? {})) if (column.endsWith('_sealed')) t.is(value, null, column);
    t.is((await server.events('person.merge-final')).length, 1);
  },
);

test.serial('D6 D9 the second account is guessed at under the limits of signing in, with one answer', async (t) => {
  const two = await twoAccounts(t);
  const { server, passport, portal, browser } = two;
  const answers = new Set<string>();
  for (let times = 0; times < 6; times += 1) {
    const answer = await prove(two, `wrong ${times}`);
    t.is(answer.status, 401);
    answers.add(answer.text.replaceAll(/value="[^"]*"/g, ''));
  }
  t.is((await prove(two)).status, 401, 'the account is closed to guesses by now');
  t.is(answers.size, 1);
  t.is(await signedInAt(server, portal, PHONE, PASSPORT_PASSWORD), undefined, 'and so is signing in');
  const reasons = (await server.events('sign-in.refused')).filter(({ subject }) => subject === passport);
  t.true(reasons.some(({ data }) => data.reason === 'locked'));
  await browser.get('/account/merge');
  const unknown = await browser.submit({ identifier: '13900000009', password: 'x' }, '/account/merge');
  t.is(unknown.status, 401);
  t.is((await server.events('account-merge.proven')).length, 0);
});

test.serial(
  'E2 V8 the proof of the second account belongs to this account, this browser and this quarter of an hour',
  async (t) => {
    const two = await twoAccounts(t);
    const { server, card, passport, browser } = two;
    const page = await prove(two);
    const fields = (more: object) => ({
      form_token: hiddenField(page),
      other: hiddenField(page, 'other'),
      proven_at: hiddenField(page, 'proven_at'),
      proof: hiddenField(page, 'proof'),
      keep: 'this',
      ...more,
    });
    const third = await server.addPerson({ idNumber: '33990019850701009X', name: '李思远' });
    t.is((await browser.post('/account/merge/choose', fields({ other: third }))).status, 403);
    const later = String(Number(hiddenField(page, 'proven_at')) + 100);
    t.is((await browser.post('/account/merge/choose', fields({ proven_at: later }))).status, 403);
    const unchosen = await browser.post('/account/merge/choose', { ...fields({}), keep: '' });
    t.is(unchosen.status, 400);
    t.deepEqual(
      [(await server.house.persons.find(card))?.status, (await server.house.persons.find(passport))?.status],
      ['active', 'active'],
    );
    t.is((await browser.post('/account/merge/choose', fields({}))).status, 200);
  },
);

test.serial('accounts of two people are not merged, and neither is one with itself', async (t) => {
  const two = await twoAccounts(t, '王小民');
  const { server, passport, browser } = two;
  await prove(two);
  const refused = await choose(two, 'this');
  t.is(refused.status, 400);
  t.true(refused.text.includes('不同'));
  t.is((await server.house.persons.find(passport))?.status, 'active');
  t.deepEqual(await documentsOf(server, passport), ['prc_passport*']);
  await browser.get('/account/merge');
  const self = await browser.submit({ identifier: WANG.idNumber, password: PASSWORD }, '/account/merge');
  t.true(self.text.includes('正在使用的账户'));
});
