import test from 'ava';
import { representativeDigest } from '../src/proofing/legal-person-register.ts';
import {
  CHANGING_COMPANY,
  DEREGISTERED_COMPANY,
  NEXT_REPRESENTATIVE,
  UNAVAILABLE_USCC,
} from '../src/proofing/sample-legal-person-register.ts';
import { runNightlyJob } from '../src/storage/nightly-job.ts';
import { sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { COMPANY, legalRoom, PORTAL, SHOP, usccOf } from './support/legal-persons.ts';
import { addPerson, idNumberOf } from './support/people.ts';

const OPERATOR = { operator: 'li' } as const;
const refusalOf = (outcome: { readonly ok: boolean; readonly reason?: string }): string | undefined => outcome.reason;

test('F3 the legal representative takes over the company: code, name and their own number match the register', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const [representative, owner] = [await room.add('representative'), await room.add('owner')];
  const claim = (personId: string, uscc: string, name: string = COMPANY.name) =>
    room.legalPersons.claim({ personId, uscc, name });
  const low = await room.add('elder', 1);
  for (const [reason, outcome] of [
    ['level_too_low', claim(low, COMPANY.uscc)],
    ['level_too_low', claim('psn_nobody', COMPANY.uscc)],
    ['code', claim(representative, '91339900MA9X01014D')],
    ['code', claim(representative, '9I339900MA9X01014C')],
    ['name', claim(representative, COMPANY.uscc, ' ')],
    ['mismatch', claim(representative, COMPANY.uscc, '别的公司')],
    ['not_representative', claim(owner, COMPANY.uscc)],
    ['deregistered', claim(representative, DEREGISTERED_COMPANY.uscc, DEREGISTERED_COMPANY.name)],
    ['unavailable', claim(representative, UNAVAILABLE_USCC)],
    ['unsupported', claim(representative, '113399000000000197', '某机关')],
  ] as const) {
    t.is(refusalOf(await outcome), reason);
  }
  t.deepEqual(await room.legalPersons.list(), []);

  const claimed = await claim(representative, ' 91339900-ma9x0101-4C ', '示例数字科技有限公司 ');
  t.like(claimed, { ok: true, way: 'first' });
  t.like(await claim(representative, COMPANY.uscc), { ok: true, way: 'unchanged' });
  const [profile] = await room.legalPersons.list();
  t.like(profile, { ...COMPANY, category: '91', status: 'active' } as never);
  const [post] = await room.legalPersons.postsOf({ personId: representative });
  t.like(post, { role: 'legal_representative', status: 'active' });
  t.like((await room.acting.subjectsOf(representative, PORTAL))[0], { ref: post?.id, uscc: COMPANY.uscc });

  const entries = await ledgerEntries(room.database);
  const told = (type: string) => entries.filter((entry) => entry.type === type);
  t.is(told('legal-person.claim-refused').length, 7, 'what was mistyped is not on record');
  t.is(told('legal-person.added').length, 1);
  t.like(told('legal-person.claimed'), [
    { subject: representative, data: { way: 'register', replaced: false } },
  ] as never);
  const everything = JSON.stringify([entries, await room.database.all('SELECT * FROM legal_persons', [])]);
  for (const secret of [COMPANY.uscc, COMPANY.name]) t.false(everything.includes(secret));
});

test('F3 nobody tries code after code', async (t) => {
  const room = legalRoom(await sqliteDatabase(t), { claimsPerPersonDaily: 3 as never });
  const personId = await room.add('owner');
  const tries = [];
  for (let at = 0; at < 5; at += 1) tries.push(refusalOf(await room.legalPersons.claim({ personId, ...COMPANY })));
  t.deepEqual(tries, ['not_representative', 'not_representative', 'not_representative', 'too_many', 'too_many']);
});

test('F3 staff enter, stop and release a company; what was stopped for itself stays so', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const agent = await room.add('agent');
  const one = await room.accepted(legalPersonId, personId, { personId: agent }, agent);
  const two = await room.accepted(legalPersonId, personId, { personId: agent }, agent, { matters: ['registration'] });
  const waiting = await room.mandates.grant(
    { kind: 'agent', legalPersonId, agent: { personId: agent }, matters: ['insurance'] },
    { personId },
  );
  await room.mandates.suspend(two.id, { personId });
  t.like(await ledgerEntries(room.database, 'mandate.suspended'), [
    { data: { mandate: two.id, side: 'principal' } },
  ] as never);
  t.is(await room.legalPersons.suspend(legalPersonId, OPERATOR, 'court order'), 'changed');
  t.is(await room.legalPersons.suspend(legalPersonId, OPERATOR, 'again'), 'unchanged');
  t.is(await room.legalPersons.suspend('lgp_nobody', OPERATOR, 'x'), 'unknown');
  t.deepEqual(await room.acting.subjectsOf(agent, PORTAL), []);
  t.deepEqual(await room.acting.subjectsOf(personId, PORTAL), []);
  t.true(room.heard.ended.some(({ legalPersonId: id, mandateId }) => id === legalPersonId && mandateId === undefined));
  t.is(
    refusalOf(await room.legalPersons.claim({ personId, ...COMPANY })),
    'suspended',
    'no register opens what staff closed',
  );
  t.is(refusalOf(await room.mandates.resume(one.id, { personId })), 'unknown');

  t.is(await room.legalPersons.resume(legalPersonId, OPERATOR, 'lifted'), 'changed');
  t.is(await room.legalPersons.resume(legalPersonId, OPERATOR, 'lifted'), 'unchanged');
  t.deepEqual(
    (await room.acting.subjectsOf(agent, PORTAL)).map(({ ref }) => ref),
    [one.id],
  );
  t.is((await room.acting.subjectsOf(personId, PORTAL)).length, 1);
  if (waiting.ok) t.like(await room.mandates.find(waiting.mandate.id), { status: 'invited' });
  const [stopped] = await ledgerEntries(room.database, 'legal-person.suspended');
  t.like(stopped, { actor: 'operator:li', data: { cause: 'operator', posts: 1, mandates: 2 } });
  t.is((await ledgerEntries(room.database, 'legal-person.resumed')).length, 1);
  const added = await room.legalPersons.add({ ...SHOP, origin: 'command' }, OPERATOR);
  t.like(added, { ok: true, warnings: [] } as never);
  t.is(refusalOf(await room.legalPersons.add({ ...SHOP, origin: 'command' }, OPERATOR)), 'exists');
  t.like(await room.legalPersons.findByUscc(usccOf(SHOP.uscc)), { category: '92' });
});

test('F3 another representative in the register stops everything, and a new one starts anew', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { uscc, name, representative: former } = CHANGING_COMPANY;
  const personOf = ({ documentNumber, name: called }: { readonly documentNumber: string; readonly name: string }) =>
    addPerson(room.persons, { idNumber: idNumberOf(documentNumber), name: called, ial: 2, origin: 'test' });
  const [old, next, agent, administrator] = [
    await personOf(former),
    await personOf(NEXT_REPRESENTATIVE),
    await room.add('agent'),
    await room.add('administrator'),
  ];
  const claimed = await room.legalPersons.claim({ personId: old, uscc, name });
  if (!claimed.ok) return t.fail(claimed.reason);
  const { id } = claimed.legalPerson;
  t.true((await room.legalPersons.appoint(id, administrator, { personId: old })).ok);
  const mandate = await room.accepted(id, old, { personId: agent }, agent);
  t.is(await room.legalPersons.recheck(id), 'unchanged');

  room.register.changeRepresentative(uscc, NEXT_REPRESENTATIVE);
  t.is(await runNightlyJob({ database: room.database, job: room.legalPersons.job }), 'finished');
  t.like(await room.legalPersons.find(id), { status: 'suspended', suspendedCause: 'representative_changed' });
  for (const who of [old, agent, administrator]) t.deepEqual(await room.acting.subjectsOf(who, PORTAL), []);
  t.deepEqual(room.heard.ended.at(-1), { legalPersonId: id, cause: 'representative_changed' });
  t.is(await room.legalPersons.recheck(id), 'unchanged', 'once is enough');

  t.is(refusalOf(await room.legalPersons.claim({ personId: old, uscc, name })), 'not_representative');
  t.like(await room.legalPersons.claim({ personId: next, uscc, name }), { ok: true, way: 'replaced' });
  t.like(await room.legalPersons.find(id), { status: 'active' });
  t.deepEqual(await room.legalPersons.postsOf({ personId: old }), []);
  t.deepEqual(await room.acting.subjectsOf(agent, PORTAL), [], 'mandates wait for the new representative');
  t.is(await room.mandates.resumeAll(id, { personId: old }), 0);
  t.is(await room.mandates.resumeAll(id, { personId: next }), 1);
  t.like(await room.mandates.find(mandate.id), { status: 'active' });
  t.true((await room.legalPersons.reinstate(id, administrator, { personId: next })).ok);
  t.is((await room.acting.subjectsOf(agent, PORTAL)).length, 1);
  t.is((await room.acting.subjectsOf(administrator, PORTAL)).length, 1);
  for (const type of ['post.appointed', 'post.ended', 'post.resumed', 'mandate.suspended', 'mandate.resumed']) {
    const told = await ledgerEntries(room.database, type);
    // A company that is stopped has one event, which counts its mandates.
    t.is(told.length > 0, type !== 'mandate.suspended', type);
  }
});

test('F3 a company that is no more in the register is stopped, and one it cannot judge is left alone', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const unavailable = await room.legalPersons.add({ uscc: UNAVAILABLE_USCC, name: '无', origin: 'test' }, OPERATOR);
  const organ = await room.legalPersons.add({ uscc: '113399000000000197', name: '某机关', origin: 'test' }, OPERATOR);
  if (!unavailable.ok || !organ.ok) return t.fail();
  t.is(await room.legalPersons.recheck(unavailable.legalPerson.id), 'unavailable');
  t.is(await room.legalPersons.recheck(organ.legalPerson.id), 'unknown');
  room.register.deregister(COMPANY.uscc);
  t.is(await room.legalPersons.recheck(legalPersonId), 'deregistered');
  t.like(await room.legalPersons.find(legalPersonId), { status: 'deregistered' });
  t.deepEqual(await room.acting.subjectsOf(personId, PORTAL), []);
  t.like((await ledgerEntries(room.database, 'legal-person.deregistered'))[0], { actor: 'system', data: { posts: 1 } });
  t.is(refusalOf(await room.legalPersons.appoint(legalPersonId, personId, OPERATOR)), 'not_active');
});

test('a name that changes in the register changes here, and stops nobody', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const { documentNumber } = { documentNumber: '339900199001011014' };
  const renaming = {
    ...room.register,
    statusOf: async () => ({
      state: 'active' as const,
      name: '示例数字科技股份有限公司',
      representativeDigest: representativeDigest(COMPANY.uscc, { documentType: 'resident_id_card', documentNumber }),
    }),
  };
  const { createStanding } = await import('../src/legal-persons/standing.ts');
  const standing = createStanding({ ...room, register: renaming, perSecond: 10 });
  t.is(await standing.recheck(legalPersonId), 'renamed');
  t.is(await standing.recheck(legalPersonId), 'unchanged');
  t.is((await room.legalPersons.profile(legalPersonId))?.name, '示例数字科技股份有限公司');
  t.is((await room.acting.subjectsOf(personId, PORTAL)).length, 1);
  t.is((await ledgerEntries(room.database, 'legal-person.renamed')).length, 1);
});

test('everyone who stands or acts for a stopped company is told, page by page, out of the outbox', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const agent = await room.add('agent');
  await room.accepted(legalPersonId, personId, { personId: agent }, agent);
  room.heard.told.length = 0;
  await room.legalPersons.suspend(legalPersonId, OPERATOR, 'a reason');
  const { tellEveryone } = room.legalPersons;
  for (;;) {
    const [row] = await room.database.all<{ id: string; payload: string }>('SELECT id, payload FROM outbox', []);
    if (row === undefined) break;
    await tellEveryone(JSON.parse(row.payload), { id: row.id, number: 1, signal: new AbortController().signal });
    await room.database.run('DELETE FROM outbox WHERE id = $1', [row.id]);
  }
  t.deepEqual(
    room.heard.told.map(({ personId: who, notice }) => [who, notice]),
    [
      [personId, 'company_suspended'],
      [agent, 'company_suspended'],
    ],
  );
});
