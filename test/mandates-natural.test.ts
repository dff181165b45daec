import test from 'ava';
import { mandateHoldings } from '../src/legal-persons/person-holdings.ts';
import { nowSeconds, turnClock } from '../src/shared/clock.ts';
import { sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { CITIZEN_PORTAL, documentOf, type LegalRoom, legalRoom, PEOPLE } from './support/legal-persons.ts';
import { addPerson, idNumberOf } from './support/people.ts';

const DAY = 86_400;
const STAFF = { operator: 'counter-3' } as const;
const EVIDENCE = '户口簿原件，窗口核验';
/** Born on 1 June 2014 and on 29 February 2012; region 3399 was never assigned. */
const CHILD = { idNumber: '339900201406010015', name: '王小宝' };

const refusalOf = (outcome: { readonly ok: boolean; readonly reason?: string }): string | undefined => outcome.reason;
const addChild = (room: LegalRoom) =>
  addPerson(room.persons, {
    idNumber: idNumberOf(withCheck(CHILD.idNumber)),
    name: CHILD.name,
    ial: 2,
    origin: 'test',
  });

/** The number with the check character it must have. */
function withCheck(number: string): string {
  const sum = [...number.slice(0, 17)].reduce((total, digit) => (total + Number(digit)) * 2, 0);
  return number.slice(0, 17) + '10X98765432'[sum % 11];
}
const secondsAt = (day: string): number => Date.parse(`${day}T00:00:00+08:00`) / 1000;
const turnTo = (seconds: number): void => turnClock(seconds * 1000 - Date.now());

test.afterEach.always(() => turnClock(0));

test.serial(
  'F3 a guardian acts for a child until its 18th birthday, entered by staff with evidence; the child hears of it at 14 and 16',
  async (t) => {
    turnTo(secondsAt('2026-03-01'));
    const room = legalRoom(await sqliteDatabase(t));
    const [child, guardian, other] = [await addChild(room), await room.add('representative'), await room.add('agent')];
    const grant = (by: object, terms: object = {}) =>
      room.mandates.grant(
        {
          kind: 'guardian',
          representedId: child,
          agent: { personId: guardian },
          matters: ['health'],
          evidence: EVIDENCE,
          ...terms,
        },
        by as never,
      );
    t.is(refusalOf(await grant(STAFF, { evidence: undefined })), 'evidence');
    t.is(refusalOf(await grant({ personId: guardian })), 'not_entitled', 'nobody makes themself a guardian');
    t.is(refusalOf(await grant({ personId: child })), 'not_entitled');
    t.is(refusalOf(await grant(STAFF, { agent: { personId: child } })), 'self');
    t.is(refusalOf(await grant(STAFF, { representedId: other })), 'age', 'no guardian for an adult');
    t.is(refusalOf(await grant(STAFF, { validUntil: secondsAt('2032-06-02') })), 'too_long');
    const granted = await grant(STAFF);
    if (!granted.ok) return t.fail(granted.reason);
    const { id } = granted.mandate;
    t.is(granted.mandate.validUntil, secondsAt('2032-06-01'));
    t.is(await room.mandates.evidence(id), EVIDENCE);
    t.is(refusalOf(await room.mandates.accept(id, { personId: other })), 'unknown');
    t.true((await room.mandates.accept(id, { personId: guardian })).ok);
    t.like((await room.acting.subjectsOf(guardian, CITIZEN_PORTAL))[0], {
      kind: 'natural',
      role: 'guardian',
      personId: child,
      name: CHILD.name,
    });
    t.is(refusalOf(await room.mandates.revoke(id, { personId: child })), 'unknown', 'a child does not end it');
    t.is(refusalOf(await room.mandates.renew(id, STAFF, secondsAt('2033-01-01'))), 'state');

    t.is(await room.mandates.tellWards(10), 0);
    for (const [day, age] of [
      ['2028-06-01', 14],
      ['2030-06-01', 16],
    ] as const) {
      turnTo(secondsAt(day) + 60);
      t.is(await room.mandates.tellWards(10), 1);
      t.is(await room.mandates.tellWards(10), 0);
      t.like((await ledgerEntries(room.database, 'mandate.ward-told')).at(-1), { subject: child, data: { age } });
      t.deepEqual(room.heard.told.at(-1), { personId: child, notice: 'ward_grows_up', name: '*小明' });
    }
    turnTo(secondsAt('2032-06-01') - 1);
    t.is((await room.acting.subjectsOf(guardian, CITIZEN_PORTAL)).length, 1);
    turnTo(secondsAt('2032-06-01'));
    t.deepEqual(await room.acting.subjectsOf(guardian, CITIZEN_PORTAL), []);
    t.is(await room.mandates.expireDue(10), 1);
    t.deepEqual(room.heard.ended, [{ mandateId: id, cause: 'mandate_expired' }]);
  },
);

test.serial('who accepts while two accounts are one stays the agent when they are taken apart again', async (t) => {
  const database = await sqliteDatabase(t);
  const room = legalRoom(database);
  const [mergedId, keptId, relative] = [await room.add('elder'), await room.add('stranger'), await room.add('agent')];
  const agent = { document: documentOf(PEOPLE.agent.idNumber), name: PEOPLE.agent.name };
  const granted = await room.mandates.grant(
    { kind: 'relative', representedId: mergedId, agent, matters: ['health'] },
    { personId: mergedId },
  );
  if (!granted.ok) return t.fail(granted.reason);
  const { move, moveBack } = mandateHoldings(database.engine);
  const moved = await database.write((tx) => move(tx, { keptId, mergedId }));
  if (!moved.ok) return t.fail(moved.reason);
  t.true((await room.mandates.accept(granted.mandate.id, { personId: relative })).ok);
  t.true((await database.write((tx) => moveBack(tx, { keptId, mergedId }, moved.moved))).ok);
  t.like(await room.mandates.find(granted.mandate.id), {
    status: 'active',
    agentPersonId: relative,
    principal: { personId: mergedId },
  });
});

test('F3 an elder names a relative for a few days and a few matters, and ends it, or has the hotline end it', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const [elder, relative] = [await room.add('elder'), await room.add('agent')];
  const agent = { document: documentOf(PEOPLE.agent.idNumber), name: PEOPLE.agent.name };
  const grant = (by: object, terms: object = {}) =>
    room.mandates.grant({ kind: 'relative', representedId: elder, agent, matters: ['health'], ...terms }, by as never);
  t.is(refusalOf(await grant({ personId: relative })), 'not_entitled');
  t.is(refusalOf(await grant({ personId: elder }, { matters: [] })), 'no_matter');
  t.is(refusalOf(await grant({ personId: elder }, { validUntil: nowSeconds() + 91 * DAY })), 'too_long');
  t.is(refusalOf(await grant({ personId: elder }, { agent: { personId: elder } })), 'self');
  t.is(refusalOf(await grant(STAFF)), 'evidence');
  const one = await grant({ personId: elder });
  const two = await grant(STAFF, { matters: ['insurance'], portals: [CITIZEN_PORTAL], evidence: '本人来电，回拨核实' });
  if (!one.ok || !two.ok) return t.fail();
  t.true(Math.abs(one.mandate.validUntil - nowSeconds() - 7 * DAY) < 5);
  for (const { mandate } of [one, two]) t.true((await room.mandates.accept(mandate.id, { personId: relative })).ok);
  t.is((await room.acting.subjectsOf(relative, CITIZEN_PORTAL)).length, 2);
  t.true((await room.mandates.revoke(one.mandate.id, { personId: elder })).ok);
  t.true((await room.mandates.revoke(two.mandate.id, { operator: 'hotline' }, 'asked by phone')).ok);
  t.deepEqual(await room.acting.subjectsOf(relative, CITIZEN_PORTAL), []);
  t.like((await ledgerEntries(room.database, 'mandate.revoked')).at(-1), {
    actor: 'operator:hotline',
    data: { side: 'operator' },
  });
  const texts = JSON.stringify(await room.database.all('SELECT * FROM mandates', []));
  for (const secret of [EVIDENCE, PEOPLE.elder.idNumber, '来电']) t.false(texts.includes(secret));
});

test('F3 nobody acts for an account that is shut', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const [elder, relative] = [await room.add('elder'), await room.add('agent')];
  const granted = await room.mandates.grant(
    { kind: 'relative', representedId: elder, agent: { personId: relative }, matters: ['health'] },
    { personId: elder },
  );
  if (!granted.ok) return t.fail(granted.reason);
  await room.mandates.accept(granted.mandate.id, { personId: relative });
  t.is((await room.acting.subjectsOf(relative, CITIZEN_PORTAL)).length, 1);
  await room.persons.freeze(elder, 'reported_by_person');
  t.deepEqual(await room.acting.subjectsOf(relative, CITIZEN_PORTAL), []);
});
