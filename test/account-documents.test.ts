import test from 'ava';
import { parseDocument } from '../src/people/documents/parse.ts';
import type { AssuranceLevel } from '../src/proofing/levels.ts';
import { turnClock } from '../src/shared/clock.ts';
import { hiddenField } from './support/hidden-field.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';
import { oneTold } from './support/told-events.ts';

const PASSPORT = 'K12345678';

test.afterEach.always(() => turnClock(0));

async function signedIn(t: Parameters<typeof startServer>[0], person: { idNumber: string; name: string } = WANG) {
  const server = await startServer(t);
  const id = await server.addPerson(person);
  const browser = server.browser();
  await server.signIn(browser, await server.addPortal(), { identifier: person.idNumber });
  return { server, id, browser };
}

/** Gives the person a passport that was proven to `level`; resolves with its id. */
async function addPassport({ house }: TestServer, personId: string, level: AssuranceLevel): Promise<string> {
  const read = parseDocument('foreign_passport', 'FRA', PASSPORT);
  if (!read.ok) throw new Error(read.reason);
  const added = await house.persons.addDocument(
    personId,
    { document: read.document, proof: { level }, validTo: '2031-05-01' },
    { origin: 'test' },
  );
  if (!added.ok) throw new Error(added.reason);
  return added.id;
}

const idCardOf = async ({ house }: TestServer, personId: string): Promise<string> =>
  (await house.persons.documents(personId)).find(({ document }) => document.type === 'resident_id_card')?.id ?? '';

const act = async (browser: HttpBrowser, what: 'prove' | 'remove', id: string): Promise<Page> => {
  const page = await browser.get('/account/documents');
  return browser.post(`/account/documents/${what}`, { form_token: hiddenField(page), id });
};

test.serial('F6 documents are listed with level, source and validity, and none of their numbers', async (t) => {
  const { server, id, browser } = await signedIn(t);
  await addPassport(server, id, 1);
  const { text } = await browser.get('/account/documents');
  for (const shown of ['居民身份证', '外国护照', '已与权威数据核对', '已填写', '至 2031-05-01', 'K12***678'])
    t.true(text.includes(shown), shown);
  t.false(text.includes(PASSPORT) || text.includes(WANG.idNumber));
});

test.serial('the register vouches again for a card, and the day and the source are kept', async (t) => {
  const { server, id, browser } = await signedIn(t);
  const card = await idCardOf(server, id);
  t.is((await act(browser, 'prove', card)).status, 303);
  await browser.follow();
  t.true(browser.page.text.includes('核对一致'));
  t.true(browser.page.text.includes('人口库（演示）'));
  t.like((await server.house.persons.documents(id))[0]?.proof, { level: 2, source: 'sample-population-register' });
  t.like(await oneTold('document.verified', { subject: id }, server), { data: { origin: 'account', document: card } });
});

test.serial('a level that had fallen comes back when the register vouches again', async (t) => {
  const { server, id, browser } = await signedIn(t);
  await server.house.persons.setLevel(id, { ial: 1, reason: 'register_mismatch', origin: 'test' });
  await act(browser, 'prove', await idCardOf(server, id));
  t.is((await server.house.persons.find(id))?.ial, 2);
  const [, rose] = await server.events('identity.level-changed');
  const source = 'sample-population-register';
  t.deepEqual(rose?.data, { origin: 'account', before: 1, after: 2, reason: 'proven', source });
  await server.house.persons.setLevel(id, { ial: 4, reason: 'proven', origin: 'test' });
  await act(browser, 'prove', await idCardOf(server, id));
  t.is((await server.house.persons.find(id))?.ial, 4, 'a better one is kept');
});

test.serial(
  'X12 a register that does not answer, and one that does not agree, are told apart; tries are limited',
  async (t) => {
    const stranger = await signedIn(t, { idNumber: '339900197001010135', name: '无人应' });
    const silent = await act(stranger.browser, 'prove', await idCardOf(stranger.server, stranger.id));
    t.is(silent.status, 503);
    t.true(silent.text.includes('没有被判为错误'));
    t.is((await stranger.server.events('document.refused')).length, 0);
    const { server, id, browser } = await signedIn(t, { idNumber: WANG.idNumber, name: '王晓明' });
    const card = await idCardOf(server, id);
    for (let times = 0; times < 10; times += 1) {
      const page = await act(browser, 'prove', card);
      t.is(page.status, 400);
      t.true(page.text.includes('核对不一致'));
    }
    t.is((await act(browser, 'prove', card)).status, 429);
    const reasons = (await server.events('document.refused')).map(({ data }) => data.reason);
    t.deepEqual(reasons, [...Array(10).fill('mismatch'), 'too_many']);
  },
);

test.serial('a document may go while another proves as much, and never the one the level rests on', async (t) => {
  const { server, id, browser } = await signedIn(t);
  const card = await idCardOf(server, id);
  const passport = await addPassport(server, id, 1);
  const refused = await act(browser, 'remove', card);
  t.is(refused.status, 400);
  t.true(refused.text.includes('不能移除'));
  t.is((await act(browser, 'remove', passport)).status, 303);
  t.deepEqual(
    (await server.house.persons.documents(id)).map(({ id: held }) => held),
    [card],
  );
  t.is((await act(browser, 'remove', card)).status, 400, 'the last one stays');
});

test.serial('D15 V39 documents change only with a fresh proof, and only one’s own', async (t) => {
  const { server, id, browser } = await signedIn(t);
  const other = await server.addPerson({ idNumber: '33990019850701009X', name: '李思远' });
  await addPassport(server, other, 3);
  const foreign = await idCardOf(server, other);
  for (const what of ['prove', 'remove'] as const) t.is((await act(browser, what, foreign)).status, 404);
  t.is((await server.house.persons.documents(other)).length, 2);
  const passport = await addPassport(server, id, 2).catch(() => undefined);
  t.is(passport, undefined, 'a passport is one person’s');
  turnClock(301_000);
  const card = await idCardOf(server, id);
  const asked = await act(browser, 'prove', card);
  t.true(asked.text.includes('name="password"'));
  t.is(hiddenField(asked, 'kept.id'), card, 'what was asked for is not lost');
  t.is((await server.events('document.verified')).length, 0);
  const proven = await browser.submit({ password: PASSWORD }, '/account/prove');
  t.is(hiddenField(proven, 'id'), card);
  t.is((await browser.submit({}, '/account/documents/prove')).status, 303);
  t.is((await server.events('document.verified')).length, 1);
});
