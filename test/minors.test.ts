import test from 'ava';
import { todayInChina } from '../src/people/documents/birth-date.ts';
import { checkCharacter } from '../src/people/documents/mod-11-2.ts';
import { birthdaysOf, isChild } from '../src/people/minors.ts';
import { nowMs, turnClock } from '../src/shared/clock.ts';
import { DAY_MS, night } from './support/nights.ts';
import { addPerson, documentOf } from './support/people.ts';
import { authorizationPath, PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';

test.afterEach.always(() => turnClock(0));

/** A guardian who has shown at a counter that they are one, and accepted. */
async function guardianOf({ house, addPerson }: TestServer, child: string): Promise<string> {
  const guardian = await addPerson(WANG);
  const matters = ['health-cover'];
  const shown = { kind: 'guardian', representedId: child, agent: { personId: guardian }, matters } as const;
  const granted = await house.mandates.grant(
    { ...shown, evidence: 'household register seen' },
    { operator: 'counter-4' },
  );
  if (!granted.ok) throw new Error(granted.reason);
  const accepted = await house.mandates.accept(granted.mandate.id, { personId: guardian });
  if (!accepted.ok) throw new Error(accepted.reason);
  return guardian;
}

/** Somebody whose birthday is so many days ahead of today, so many years ago. */
function born(years: number, days: number): { readonly idNumber: string; readonly birthDate: string } {
  const day = new Date(nowMs() + 8 * 3_600_000 + days * DAY_MS).toISOString().slice(4, 10);
  const birthDate = `${Number(todayInChina().slice(0, 4)) - years}${day === '-02-29' ? '-02-28' : day}`;
  const digits = `339900${birthDate.replaceAll('-', '')}771`;
  return { birthDate, idNumber: digits + checkCharacter(digits) };
}

test.serial('birthdays are known of young people alone', (t) => {
  t.is(birthdaysOf(undefined), undefined);
  t.is(birthdaysOf('1990-01-01'), undefined);
  t.true(isChild(born(10, 0).birthDate));
  t.false(isChild(born(14, 0).birthDate), 'on the day itself one is 14');
  t.true(isChild(born(14, 1).birthDate));
  t.truthy(birthdaysOf(born(10, 0).birthDate)?.fourteenAt);
  t.is(birthdaysOf(born(15, 0).birthDate)?.fourteenAt, undefined);
  t.truthy(birthdaysOf(born(17, 0).birthDate)?.nextAt);
});

test.serial('a child signs in only while a guardian stands for them, and is told kindly what to do', async (t) => {
  const server = await startServer(t);
  const { mandates } = server.house;
  const child = await server.addPerson({ idNumber: born(10, 5).idNumber, name: '王小童' });
  const guardian = await server.addPerson(WANG);
  const portal = await server.addPortal();
  const signIn = async (password = PASSWORD) => {
    const browser = server.browser();
    await browser.get(authorizationPath(portal));
    await browser.follow();
    return browser.submit({ identifier: born(10, 5).idNumber, password }, '/identify');
  };
  const refused = await signIn();
  t.is(refused.status, 403);
  t.true(refused.text.includes('监护人'));
  const wrong = await signIn('wrong');
  t.is(wrong.status, 401);
  t.false(wrong.text.includes('监护'), 'a stranger does not learn that it is a child');
  t.is((await server.house.database.all('SELECT 1 AS one FROM sessions WHERE account_id = $1', [child])).length, 0);
  const granted = await mandates.grant(
    {
      kind: 'guardian',
      representedId: child,
      agent: { personId: guardian },
      matters: ['health-cover'],
      evidence: 'household register seen',
    },
    { operator: 'counter-4' },
  );
  if (!granted.ok) return t.fail(granted.reason);
  t.true((await mandates.accept(granted.mandate.id, { personId: guardian })).ok);
  t.is((await signIn()).status, 303);
  t.true((await mandates.revoke(granted.mandate.id, { operator: 'counter-4' }, 'custody changed')).ok);
  t.is((await signIn()).status, 403);
});

test.serial(
  'from the 14th birthday on nobody else is needed, and the young person and the guardian are told',
  async (t) => {
    const server = await startServer(t);
    const { house } = server;
    const child = await server.addPerson({ idNumber: born(14, 2).idNumber, name: '王小童' });
    const guardian = await guardianOf(server, child);
    await night(house);
    t.is((await server.events('person.birthday')).length, 0);
    t.truthy((await house.persons.find(child))?.fourteenAt);
    turnClock(3 * DAY_MS);
    await night(house);
    await night(house);
    const [told, ...others] = await server.events('person.birthday');
    t.like(told, { subject: child, actor: 'system', data: { age: 14 } });
    t.is(others.length, 0);
    t.is((await house.persons.find(child))?.fourteenAt, undefined);
    const notices = (await server.events('person.notified')).map(({ subject, data }) => `${subject} ${data.notice}`);
    t.true(notices.includes(`${child} birthday-reached`));
    t.true(notices.includes(`${guardian} ward-account-changed`));
    const row = await house.database.get<{ milestone_at: number }>('SELECT milestone_at FROM persons WHERE id = $1', [
      child,
    ]);
    t.true(Number(row?.milestone_at) * 1000 > nowMs() + 600 * DAY_MS, 'the next one is the 16th');
  },
);

test.serial(
  'the guardian of a young person who came a second time is told when the two accounts become one',
  async (t) => {
    const server = await startServer(t);
    const { house } = server;
    const ward = await server.addPerson({ idNumber: born(15, 20).idNumber, name: '王小童' });
    const guardian = await guardianOf(server, ward);
    const passport = {
      document: documentOf('prc_passport', 'E12345678'),
      name: '王小童',
      ial: 2,
      origin: 'test',
    } as const;
    const second = await addPerson(house.persons, passport);
    const told = async () => (await server.events('person.notified')).filter(({ subject }) => subject === guardian);
    const before = (await told()).length;
    const merged = await house.merges.merge({ keptId: ward, mergedId: second }, { origin: 'test' });
    if (!merged.ok) return t.fail(merged.reason);
    const [notice, ...others] = (await told()).slice(before);
    t.is(notice?.data.notice, 'ward-account-changed');
    t.is(others.length, 0, 'once');
    t.true((await house.merges.undo(merged.mergeId, { origin: 'test' })).ok);
    t.is((await told()).length, before + 2, 'and when it is taken back');
  },
);

test.serial('children cannot register on their own, and are shown the way', async (t) => {
  const server = await startServer(t);
  const browser = server.browser();
  await browser.get('/register');
  const answer = await browser.submit({ name: '王小童', idNumber: born(9, 3).idNumber }, '/register');
  t.is(answer.status, 400);
  t.true(answer.text.includes('监护人'));
  const [refused] = await server.events('registration.refused');
  t.is(refused?.data.reason, 'under_14');
});
