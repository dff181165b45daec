import test from 'ava';
import { turnClock } from '../src/shared/clock.ts';
import { sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import {
  CARRIER,
  CITIZEN_PORTAL,
  documentOf,
  type LegalRoom,
  legalRoom,
  PEOPLE,
  PORTAL,
  SHOP,
} from './support/legal-persons.ts';

const DAY_MS = 86_400_000;
const DAY = 86_400;
const now = (): number => Math.floor(Date.now() / 1000);

test.afterEach.always(() => turnClock(0));

const refusalOf = (outcome: { readonly ok: boolean; readonly reason?: string }): string | undefined => outcome.reason;

test('F3 an agent acts from acceptance to revocation, at the portals and in the matters of the mandate alone', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const agent = await room.add('agent');
  const granted = await room.mandates.grant(
    { kind: 'agent', legalPersonId, agent: { personId: agent }, matters: ['tax', 'registration'] },
    { personId },
  );
  t.true(granted.ok);
  const { id } = (granted as Extract<typeof granted, { ok: true }>).mandate;
  t.deepEqual(await room.acting.subjectsOf(agent, PORTAL), [], 'an invitation is no power');

  t.true((await room.mandates.accept(id, { personId: agent })).ok);
  const [subject, ...others] = await room.acting.subjectsOf(agent, PORTAL);
  t.deepEqual(others, []);
  t.like(subject, {
    kind: 'legal',
    ref: id,
    role: 'agent',
    legalPersonId,
    name: '示例数字科技有限公司',
    category: '91',
  });
  t.deepEqual(subject?.mandate?.matters, ['registration', 'tax']);
  t.deepEqual(await room.acting.find(agent, PORTAL, id), subject);
  t.deepEqual(await room.acting.subjectsOf(agent, CITIZEN_PORTAL), []);
  t.is(await room.acting.find(agent, CITIZEN_PORTAL, id), undefined);
  t.is(await room.acting.find(personId, PORTAL, id), undefined, 'a mandate is its agent’s');

  t.true((await room.mandates.revoke(id, { personId }, 'left the company')).ok);
  t.is(await room.acting.find(agent, PORTAL, id), undefined);
  t.deepEqual(room.heard.ended, [{ mandateId: id, cause: 'mandate_revoked' }]);
  t.is(refusalOf(await room.mandates.revoke(id, { personId: agent })), 'ended');
  const types = (await ledgerEntries(room.database)).map(({ type }) => type);
  t.deepEqual(types.slice(-3), ['mandate.granted', 'mandate.accepted', 'mandate.revoked']);
});

test('F3 who may grant: representative and administrators of an active company, to others, with a scope and an end', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const [administrator, agent, stranger] = [
    await room.add('administrator'),
    await room.add('agent'),
    await room.add('stranger'),
  ];
  t.true((await room.legalPersons.appoint(legalPersonId, administrator, { personId })).ok);
  const grant = (by: string, terms: object = {}, to: object = { personId: agent }) =>
    room.mandates.grant(
      { kind: 'agent', legalPersonId, agent: to as never, matters: ['tax'], ...terms },
      { personId: by },
    );
  const cases: readonly (readonly [string, ReturnType<typeof grant>])[] = [
    ['not_entitled', grant(stranger)],
    ['not_entitled', grant(agent)],
    ['self', grant(administrator, {}, { personId: administrator })],
    ['self', grant(personId, {}, { document: documentOf(PEOPLE.representative.idNumber), name: '王小明' })],
    ['self', grant(personId, {}, { legalPersonId })],
    ['unknown_agent', grant(personId, {}, { personId: 'psn_nobody' })],
    ['unknown_agent', grant(personId, {}, { legalPersonId: 'lgp_nobody' })],
    ['no_matter', grant(personId, { matters: [] })],
    ['unknown_matter', grant(personId, { matters: ['everything'] })],
    ['no_portal', grant(personId, { portals: [] })],
    ['no_portal', grant(personId, { matters: ['general'] })],
    ['portal_outside', grant(personId, { portals: [CITIZEN_PORTAL] })],
    ['portal_outside', grant(personId, { matters: ['general'], portals: ['*'] })],
    ['dates', grant(personId, { validUntil: now() - 1 })],
    ['dates', grant(personId, { validFrom: now() + 10 * DAY, validUntil: now() + 9 * DAY })],
    ['too_long', grant(personId, { validUntil: now() + 400 * DAY })],
    ['acr', grant(personId, { acrMax: 'high; drop' })],
  ];
  for (const [reason, outcome] of cases) t.is(refusalOf(await outcome), reason);
  t.is((await ledgerEntries(room.database, 'mandate.granted')).length, 0);

  const first = await grant(administrator);
  t.true(first.ok);
  if (first.ok) t.true(Math.abs(first.mandate.validUntil - now() - 30 * DAY) < 5, 'thirty days when nobody says');
  t.is(refusalOf(await grant(administrator)), 'exists', 'a form that was sent twice grants nothing twice');
  t.true((await grant(personId, { matters: ['general'], portals: ['some-other-portal'] })).ok);
  t.is(await room.legalPersons.suspend(legalPersonId, { operator: 'li' }, 'a reason'), 'changed');
  t.is(refusalOf(await grant(personId, { matters: ['registration'] })), 'not_entitled');
});

test('F3 an invitation by document is accepted by whoever holds it, under that name, well enough proven, and by nobody else', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const invite = async (name: string, matters: readonly string[]): Promise<string> => {
    const agent = { document: documentOf(PEOPLE.agent.idNumber), name };
    const outcome = await room.mandates.grant({ kind: 'agent', legalPersonId, agent, matters }, { personId });
    if (!outcome.ok) throw new Error(outcome.reason);
    return outcome.mandate.id;
  };
  const right = await invite('陈雨桐', ['tax']);
  const wrong = await invite('陈雨彤', ['registration']);
  const stranger = await room.add('stranger');
  t.is(refusalOf(await room.mandates.accept(right, { personId: stranger })), 'unknown');
  t.is(refusalOf(await room.mandates.accept(right, { operator: 'li' })), 'forbidden');

  const agent = await room.add('agent', 1);
  t.deepEqual((await room.mandates.invitations(agent)).map(({ id }) => id).sort(), [right, wrong].sort());
  t.is(refusalOf(await room.mandates.accept(right, { personId: agent })), 'level_too_low');
  await room.database.run('UPDATE persons SET ial = 2 WHERE id = $1', [agent]);
  t.is(refusalOf(await room.mandates.accept(wrong, { personId: agent })), 'name_mismatch');
  t.true((await room.mandates.decline(wrong, { personId: agent })).ok);
  t.like((await ledgerEntries(room.database, 'mandate.declined'))[0], {
    actor: agent,
    data: { mandate: wrong },
  } as never);
  t.true((await room.mandates.accept(right, { personId: agent })).ok);
  t.like(await room.mandates.view(right), {
    agentPersonId: agent,
    agentName: '陈雨桐',
    principalName: '示例数字科技有限公司',
  });
  t.deepEqual(await room.mandates.invitations(agent), []);
  const texts = JSON.stringify(await room.database.all('SELECT * FROM mandates', []));
  t.false(texts.includes(PEOPLE.agent.idNumber));
  t.false(texts.includes('陈雨桐'));
});

test('F3 another company acts through its own people, in the matters both mandates cover', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId: owner, legalPersonId: shop } = await room.claimed('owner', SHOP);
  const { personId: boss, legalPersonId: carrier } = await room.claimed('carrier', CARRIER);
  const mandate = await room.accepted(shop, owner, { legalPersonId: carrier }, boss, { matters: ['tax', 'insurance'] });
  const clerk = await room.add('agent');
  const own = await room.accepted(carrier, boss, { personId: clerk }, clerk, { matters: ['tax', 'registration'] });

  const ofBoss = await room.acting.subjectsOf(boss, PORTAL);
  t.deepEqual(
    ofBoss.map(({ role }) => role),
    ['legal_representative', 'agent'],
  );
  t.like(ofBoss[1], { legalPersonId: shop, ref: `${mandate.id}.${ofBoss[0]?.ref}` });
  const ofClerk = await room.acting.subjectsOf(clerk, PORTAL);
  const chain = ofClerk.find((subject) => subject.kind === 'legal' && subject.legalPersonId === shop);
  t.is(chain?.ref, `${mandate.id}.${own.id}`);
  t.deepEqual(chain?.mandate?.matters, ['tax']);
  t.is(chain?.mandate?.id, mandate.id);
  t.deepEqual(await room.acting.find(clerk, PORTAL, chain?.ref ?? ''), chain);
  t.is(await room.acting.find(owner, PORTAL, chain?.ref ?? ''), undefined);

  t.true((await room.mandates.revoke(own.id, { personId: boss })).ok);
  t.is(await room.acting.find(clerk, PORTAL, chain?.ref ?? ''), undefined);
  t.deepEqual(room.heard.ended, [
    { mandateId: own.id, cause: 'mandate_revoked' },
    { legalPersonId: shop, personId: clerk, cause: 'mandate_revoked' },
  ]);
});

test('F3 nobody accepts what they granted, not even for another company of theirs', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId: owner, legalPersonId: shop } = await room.claimed('owner', SHOP);
  const { personId: boss, legalPersonId: carrier } = await room.claimed('carrier', CARRIER);
  t.true((await room.legalPersons.appoint(carrier, owner, { personId: boss })).ok);
  const granted = await room.mandates.grant(
    { kind: 'agent', legalPersonId: shop, agent: { legalPersonId: carrier }, matters: ['tax'] },
    { personId: owner },
  );
  if (!granted.ok) return t.fail(granted.reason);
  t.is(refusalOf(await room.mandates.accept(granted.mandate.id, { personId: owner })), 'self');
  t.true((await room.mandates.accept(granted.mandate.id, { personId: boss })).ok);
});

test('F3 a mandate is passed on one step, within its own limits, where that was granted, and dies with its parent', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const [agent, sub, third] = [await room.add('agent'), await room.add('stranger'), await room.add('administrator')];
  const terms = { matters: ['tax', 'registration'], validUntil: now() + 20 * DAY, mayDelegate: true };
  const parent = await room.accepted(legalPersonId, personId, { personId: agent }, agent, terms);
  const plain = await room.accepted(legalPersonId, personId, { personId: third }, third, { matters: ['tax'] });
  const pass = (by: string, parentId: string, wanted: object = {}) =>
    room.mandates.grant(
      { kind: 'agent', legalPersonId, agent: { personId: sub }, matters: ['tax'], parentId, ...wanted },
      { personId: by },
    );
  for (const [reason, outcome] of [
    ['not_entitled', pass(sub, parent.id)],
    ['not_entitled', pass(personId, parent.id)],
    ['delegation', pass(third, plain.id)],
    ['delegation', pass(agent, parent.id, { matters: ['insurance'], portals: [PORTAL] })],
    ['delegation', pass(agent, parent.id, { validUntil: now() + 21 * DAY })],
    ['delegation', pass(agent, parent.id, { mayDelegate: true })],
  ] as const) {
    t.is(refusalOf(await outcome), reason);
  }
  const child = await pass(agent, parent.id);
  if (!child.ok) return t.fail(child.reason);
  t.true((await room.mandates.accept(child.mandate.id, { personId: sub })).ok);
  t.is(refusalOf(await pass(sub, child.mandate.id, {})), 'self');
  t.is((await room.acting.subjectsOf(sub, PORTAL)).length, 1);

  t.true((await room.mandates.suspend(parent.id, { personId })).ok);
  t.deepEqual(await room.acting.subjectsOf(sub, PORTAL), [], 'a suspended parent hides it');
  t.true((await room.mandates.resume(parent.id, { personId })).ok);
  t.is((await room.acting.subjectsOf(sub, PORTAL)).length, 1);
  t.true((await room.mandates.revoke(parent.id, { personId: agent })).ok);
  t.like(await room.mandates.find(child.mandate.id), { status: 'revoked', cause: 'parent_ended' });
  t.true(room.heard.ended.some(({ mandateId }) => mandateId === child.mandate.id));
});

test.serial(
  'F3 a mandate holds to its last second and is marked, told and ended afterwards; a renewed one goes on',
  async (t) => {
    const room = legalRoom(await sqliteDatabase(t));
    const { personId, legalPersonId } = await room.claimed();
    const agent = await room.add('agent');
    const first = await room.accepted(legalPersonId, personId, { personId: agent }, agent);
    const second = await room.accepted(legalPersonId, personId, { personId: agent }, agent, {
      matters: ['registration'],
    });
    t.is(refusalOf(await room.mandates.renew(first.id, { personId }, now() + 500 * DAY)), 'too_long');
    t.is(refusalOf(await room.mandates.renew(first.id, { personId }, now() + DAY)), 'dates');
    t.is(refusalOf(await room.mandates.renew(first.id, { personId: agent }, now() + 60 * DAY)), 'forbidden');
    t.true((await room.mandates.renew(first.id, { personId }, now() + 60 * DAY)).ok);
    t.is(await room.mandates.expireDue(10), 0);

    turnClock(31 * DAY_MS);
    t.deepEqual(
      (await room.acting.subjectsOf(agent, PORTAL)).map(({ ref }) => ref),
      [first.id],
    );
    t.like(await room.mandates.find(second.id), { status: 'expired' }, 'read so before anybody marked it');
    t.is(refusalOf(await room.mandates.renew(second.id, { personId }, now() + 90 * DAY)), 'state');
    t.is(await room.mandates.expireDue(10), 1);
    t.is(await room.mandates.expireDue(10), 0);
    t.deepEqual(room.heard.ended, [{ mandateId: second.id, cause: 'mandate_expired' }]);
    t.like((await ledgerEntries(room.database, 'mandate.renewed'))[0], { actor: personId, subject: agent });
    t.like(await ledgerEntries(room.database, 'mandate.expired'), [
      { actor: 'system', data: { mandate: second.id } },
    ] as never);
  },
);

test('F3 both sides end a mandate, and staff on the hotline; an administrator who leaves loses everything', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const [agent, administrator] = [await room.add('agent'), await room.add('administrator')];
  const make = (matter: string) =>
    room.accepted(legalPersonId, personId, { personId: agent }, agent, { matters: [matter] });
  const [one, two, three] = [await make('tax'), await make('registration'), await make('insurance')];
  t.true((await room.mandates.revoke(one.id, { personId: agent })).ok);
  t.true((await room.mandates.revoke(two.id, { operator: 'hotline' }, 'called 12345')).ok);
  t.true((await room.legalPersons.appoint(legalPersonId, administrator, { personId })).ok);
  t.true((await room.mandates.suspend(three.id, { personId: administrator })).ok);
  t.deepEqual(await room.acting.subjectsOf(agent, PORTAL), []);

  const [post] = await room.acting.subjectsOf(administrator, PORTAL);
  t.like(post, { role: 'administrator', legalPersonId });
  t.is(refusalOf(await room.legalPersons.dismiss(legalPersonId, administrator, { personId: agent })), 'not_entitled');
  t.true((await room.legalPersons.dismiss(legalPersonId, administrator, { personId: administrator })).ok);
  t.is(await room.acting.find(administrator, PORTAL, post?.ref ?? ''), undefined);
  t.deepEqual(room.heard.ended.at(-1), { legalPersonId, personId: administrator, cause: 'post_ended' });
  t.is(refusalOf(await room.mandates.resume(three.id, { personId: administrator })), 'unknown');
});

test('F3 there are only so many administrators, and the representative appoints them, never themself', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const people = [await room.add('agent'), await room.add('administrator'), await room.add('stranger')];
  const appoint = (who: string, by: string) => room.legalPersons.appoint(legalPersonId, who, { personId: by });
  t.is(refusalOf(await appoint(personId, personId)), 'self');
  t.is(refusalOf(await appoint(people[0]!, people[1]!)), 'not_entitled');
  const outcomes = await Promise.all(people.map((who) => appoint(who, personId)));
  t.deepEqual(outcomes.map(refusalOf), [undefined, undefined, 'too_many']);
  t.is(refusalOf(await appoint(people[0]!, personId)), 'exists');
  t.is(refusalOf(await appoint(people[2]!, people[0]!)), 'not_entitled', 'administrators appoint nobody');
  t.is(refusalOf(await room.legalPersons.dismiss(legalPersonId, personId, { operator: 'li' })), 'representative');
  const low = await room.add('elder', 1);
  t.is(refusalOf(await appoint(low, personId)), 'level_too_low');
});

test('who acted for a company is written down, by whom, where and under which mandate', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const agent = await room.add('agent');
  const { id } = await room.accepted(legalPersonId, personId, { personId: agent }, agent);
  const use = async (who: string, clientId: string): Promise<void> => {
    const [subject] = await room.acting.subjectsOf(who, clientId);
    await room.database.write((tx) => room.acting.noteUse(tx, { personId: who, clientId, subject: subject! }));
  };
  await use(agent, PORTAL);
  await use(personId, CITIZEN_PORTAL);
  const uses = await room.legalPersons.uses({ legalPersonId });
  t.is(uses.length, 2);
  t.like(
    uses.find(({ personId: who }) => who === agent),
    { clientId: PORTAL, mandateId: id, role: 'agent' },
  );
  t.like((await room.legalPersons.uses({ personId }))[0], { clientId: CITIZEN_PORTAL, role: 'legal_representative' });
  const [page] = [await room.legalPersons.uses({ legalPersonId }, { limit: 1 })];
  t.is((await room.legalPersons.uses({ legalPersonId }, { before: page[0]!.id })).length, 1);

  const [subject] = await room.acting.subjectsOf(agent, PORTAL);
  await room.mandates.revoke(id, { personId });
  await t.throwsAsync(
    room.database.write((tx) => room.acting.noteUse(tx, { personId: agent, clientId: PORTAL, subject: subject! })),
    { message: /ended/ },
  );
  t.is((await room.legalPersons.uses({ legalPersonId })).length, 2);
});

const room1000 = async (room: LegalRoom, count: number): Promise<{ agent: string; legalPersonId: string }> => {
  const { personId, legalPersonId } = await room.claimed();
  const agent = await room.add('agent');
  await room.database.write(async (tx) => {
    for (let at = 0; at < count; at += 1) {
      const portals = [`portal-${String(at).padStart(5, '0')}`];
      const grant = {
        kind: 'agent',
        legalPersonId,
        agent: { personId: agent },
        matters: ['general'],
        portals,
      } as const;
      await room.mandates.grantAgent(tx, grant, { personId });
    }
  });
  await room.database.run("UPDATE mandates SET status = 'active', accepted_at = 1", []);
  return { agent, legalPersonId };
};

test('a person with a thousand mandates finds the one that fits, and a company reads them in pages', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { agent, legalPersonId } = await room1000(room, 1000);
  const started = performance.now();
  const found = await room.acting.subjectsOf(agent, 'portal-00500');
  t.is(found.length, 1);
  t.truthy(await room.acting.find(agent, 'portal-00500', found[0]!.ref));
  t.true(performance.now() - started < 500);
  const seen = new Set<string>();
  for (let before: string | undefined; ; ) {
    const page = await room.mandates.ofCompany(legalPersonId, { ...(before ? { before } : {}), limit: 200 });
    for (const { id } of page) seen.add(id);
    if (page.length < 200) break;
    before = page.at(-1)?.id;
  }
  t.is(seen.size, 1000);
  for (const sql of [
    "SELECT id FROM mandates m WHERE m.agent_person_id = 'x' AND m.status = 'active'",
    "SELECT id FROM mandates m WHERE m.legal_person_id = 'x' AND m.id < 'y' ORDER BY m.id DESC LIMIT 5",
    "SELECT id FROM mandates WHERE status IN ('invited', 'active', 'suspended') AND valid_until <= 5",
  ]) {
    const plan = await room.database.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, []);
    t.true(
      plan.every(({ detail }) => /USING (COVERING )?INDEX/.test(detail)),
      JSON.stringify(plan),
    );
  }
});
