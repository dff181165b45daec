import { createSecretKey } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { judgeEvidence } from '../src/legal-persons/evidence-files.ts';
import { createRegisterNotices, noticeSignature } from '../src/legal-persons/register-notice.ts';
import { NEXT_REPRESENTATIVE } from '../src/proofing/sample-legal-person-register.ts';
import { nowSeconds, turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { COMPANY, type LegalRoom, legalRoom, PORTAL } from './support/legal-persons.ts';

const PDF = Buffer.from('%PDF-1.7 营业执照');
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3, 255]);
const JPEG = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]);
const FILES = [
  { name: '营业执照.pdf', content: PDF },
  { name: '法人证明.png', content: PNG },
];
const ORGAN = { uscc: '113399000000000197', name: '示例市某局' } as const;

test.afterEach.always(() => turnClock(0));

const refusalOf = (outcome: { readonly ok: boolean; readonly reason?: string }): string | undefined => outcome.reason;

async function submitted(
  room: LegalRoom,
  personId: string,
  claim: { uscc: string; name: string } = ORGAN,
): Promise<string> {
  const outcome = await room.legalPersons.submit({ personId, ...claim, files: FILES, note: '请核\u202e对' });
  if (!outcome.ok) throw new Error(outcome.reason);
  return outcome.claimId;
}
const judge = (room: LegalRoom, claimId: string, reviewer: string, decision: 'approve' | 'reject' = 'approve') =>
  room.legalPersons.judge(claimId, { reviewer, operator: 'ops', decision, reason: `核对原件 ${reviewer}` });

test('F3 what no register can judge is approved by two reviewers, who are not the same person', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const personId = await room.add('representative');
  const claimId = await submitted(room, personId);
  t.is(refusalOf(await room.legalPersons.submit({ personId, ...ORGAN, files: FILES })), 'pending');
  const [waiting] = await room.legalPersons.queue();
  t.like(waiting, { id: claimId, status: 'pending', usccMasked: '11**************97' });
  const shown = await room.legalPersons.showClaim(claimId);
  t.like(shown, { ...ORGAN, note: '请核 对', reviews: [] } as never);
  t.deepEqual(
    shown?.files.map(({ name, mediaType, sizeBytes }) => [name, mediaType, sizeBytes]),
    [
      ['营业执照.pdf', 'application/pdf', PDF.length],
      ['法人证明.png', 'image/png', PNG.length],
    ],
  );

  t.deepEqual(await judge(room, claimId, '李 明'), { ok: true, status: 'second' });
  t.is(refusalOf(await judge(room, claimId, '李明')), 'same_reviewer');
  t.is(refusalOf(await judge(room, claimId, ' 李明 ', 'reject')), 'same_reviewer');
  t.deepEqual(await room.acting.subjectsOf(personId, PORTAL), []);
  t.deepEqual(await judge(room, claimId, '赵云'), { ok: true, status: 'approved' });
  t.is(refusalOf(await judge(room, claimId, '钱多')), 'decided');
  t.is(refusalOf(await judge(room, 'clm_nobody', '钱多')), 'unknown');
  t.like((await room.acting.subjectsOf(personId, PORTAL))[0], { role: 'legal_representative', uscc: ORGAN.uscc });
  t.deepEqual(
    room.heard.told.map(({ notice }) => notice),
    ['claim_approved'],
  );
  t.deepEqual(await room.legalPersons.queue(), []);
  t.like((await room.legalPersons.claimsOf(personId))[0], { status: 'approved' });

  const reviews = await ledgerEntries(room.database, 'legal-person.claim-reviewed');
  t.deepEqual(
    reviews.map(({ actor, data }) => [actor, data.reviewer, data.status]),
    [
      ['operator:ops', '李 明', 'second'],
      ['operator:ops', '赵云', 'approved'],
    ],
  );
  t.like((await ledgerEntries(room.database, 'legal-person.claimed'))[0], { data: { way: 'review' } });
  const everything = JSON.stringify([
    await ledgerEntries(room.database),
    await room.database.all('SELECT * FROM legal_person_claims', []),
    await room.database.all('SELECT * FROM legal_person_claim_files', []),
    await room.database.all('SELECT * FROM legal_person_claim_reviews', []),
  ]);
  for (const secret of [ORGAN.uscc, ORGAN.name, '营业执照', '核对原件', '%PDF'])
    t.false(everything.includes(secret), secret);
});

test('F3 one refusal decides, the applicant is told, and may withdraw what still waits', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const personId = await room.add('representative');
  const rejected = await submitted(room, personId);
  await judge(room, rejected, '李明');
  t.deepEqual(await judge(room, rejected, '赵云', 'reject'), { ok: true, status: 'rejected' });
  t.is(room.heard.told.at(-1)?.notice, 'claim_rejected');
  t.like(await room.legalPersons.showClaim(rejected), { status: 'rejected' });

  const again = await submitted(room, personId);
  t.false(await room.legalPersons.withdraw(again, await room.add('agent')));
  t.true(await room.legalPersons.withdraw(again, personId));
  t.false(await room.legalPersons.withdraw(again, personId));
  t.is(refusalOf(await judge(room, again, '李明')), 'decided');
  t.deepEqual((await room.legalPersons.showClaim(again))?.files, []);
  t.is((await ledgerEntries(room.database, 'legal-person.claim-submitted')).length, 2);
  t.is((await ledgerEntries(room.database, 'legal-person.claim-withdrawn')).length, 1);
});

test('F3 an approval that cannot be carried out leaves nothing behind', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const personId = await room.add('representative');
  const claimId = await submitted(room, personId);
  await judge(room, claimId, '李明');
  await room.persons.disable(personId, 'test');
  t.is(refusalOf(await judge(room, claimId, '赵云')), 'applicant');
  t.is((await room.legalPersons.showClaim(claimId))?.reviews.length, 1);
  await room.persons.enable(personId, 'test');
  t.deepEqual(await judge(room, claimId, '赵云'), { ok: true, status: 'approved' });
});

for (const { name, it, open } of [
  { name: 'SQLite', it: embeddedTest, open: sqliteDatabase },
  { name: 'PostgreSQL', it: postgresTest, open: postgresDatabase },
] satisfies readonly { name: string; it: typeof embeddedTest; open: (t: ExecutionContext) => Promise<Database> }[]) {
  it(`F3 five reviewers at once: two are counted, and the claim is carried out once (${name})`, async (t) => {
    const room = legalRoom(await open(t));
    const claimId = await submitted(room, await room.add('representative'));
    const outcomes = await Promise.all(
      ['甲', '乙', '丙', '丁', '甲'].map((reviewer) => judge(room, claimId, reviewer)),
    );
    const states = outcomes.map((outcome) => (outcome.ok ? outcome.status : outcome.reason)).sort();
    t.is(states.filter((state) => state === 'approved').length, 1);
    t.is(states.filter((state) => state === 'second').length, 1);
    t.is((await ledgerEntries(room.database, 'legal-person.claimed')).length, 1);
  });
}

test('F3 an approved claim replaces who represented the company before, and stops what they granted', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId: former, legalPersonId } = await room.claimed();
  const agent = await room.add('agent');
  await room.accepted(legalPersonId, former, { personId: agent }, agent);
  const next = await room.add('owner');
  const claimId = await submitted(room, next, COMPANY);
  await judge(room, claimId, '李明');
  await judge(room, claimId, '赵云');
  t.deepEqual(await room.acting.subjectsOf(agent, PORTAL), []);
  t.deepEqual(await room.acting.subjectsOf(former, PORTAL), []);
  t.is((await room.acting.subjectsOf(next, PORTAL)).length, 1);
  t.deepEqual(room.heard.ended, [{ legalPersonId, cause: 'representative_changed' }]);
  t.is(
    await room.legalPersons.recheck(legalPersonId),
    'unchanged',
    'a register that lags behind two reviewers undoes nothing',
  );
});

test('everything that is wrong with a claim is told at once, in the order of the form', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const personId = await room.add('representative');
  const outcome = await room.legalPersons.submit({ personId, uscc: '5133', name: ' ', files: [] });
  t.deepEqual(outcome, {
    ok: false,
    reason: 'code',
    mistakes: [{ reason: 'code', codeRefusal: 'length' }, { reason: 'name' }, { reason: 'no_file' }],
  });
});

test('evidence is judged by what it begins with, how large it is and how many', (t) => {
  const judged = (...files: readonly { readonly name: string; readonly content: Uint8Array }[]) => {
    const outcome = judgeEvidence(files, 100);
    return outcome.ok ? outcome.files.map(({ name, mediaType }) => `${name} ${mediaType}`) : outcome.reason;
  };
  const file = (content: Uint8Array, name = 'x') => ({ name, content });
  t.deepEqual(judged(file(PDF, 'a'), file(PNG, 'b'), file(JPEG, 'c.exe\r\n\u202e')), [
    'a application/pdf',
    'b image/png',
    'c.exe image/jpeg',
  ]);
  t.deepEqual(judged(), 'no_file');
  t.deepEqual(judged(...Array.from({ length: 6 }, () => file(PDF))), 'too_many_files');
  t.deepEqual(judged(file(Buffer.concat([PDF, Buffer.alloc(100)]))), 'file_too_large');
  for (const content of [
    Buffer.from('<html>'),
    Buffer.from('MZ'),
    Buffer.alloc(0),
    Buffer.from(' %PDF-1.7'),
    PNG.subarray(0, 4),
  ])
    t.deepEqual(judged(file(content)), 'file_type');
});

test.serial('evidence leaves the house only with a reason on record, and is deleted after its time', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const claimId = await submitted(room, await room.add('representative'));
  const by = { reviewer: '李明', operator: 'ops', reason: '线下核对' };
  const files = await room.legalPersons.exportEvidence(claimId, by);
  t.deepEqual(
    files?.map(({ content }) => Buffer.from(content)),
    [PDF, PNG],
  );
  t.is(await room.legalPersons.exportEvidence('clm_nobody', by), undefined);
  t.like((await ledgerEntries(room.database, 'legal-person.evidence-exported'))[0], {
    actor: 'operator:ops',
    data: { claim: claimId, files: 2, reviewer: '李明' },
  });
  await judge(room, claimId, '李明', 'reject');
  t.is(await room.legalPersons.sweepEvidence(10), 0);
  turnClock(91 * 86_400_000);
  t.is(await room.legalPersons.sweepEvidence(10), 1);
  t.is(await room.legalPersons.sweepEvidence(10), 0);
  t.deepEqual((await room.legalPersons.showClaim(claimId))?.files, []);
  t.like((await ledgerEntries(room.database, 'legal-person.evidence-removed'))[0], {
    actor: 'system',
    data: { files: 2 },
  });
});

test('F3 a signed notice of the register stops a company at once; a forged, old or foreign one does nothing', async (t) => {
  const room = legalRoom(await sqliteDatabase(t));
  const { personId, legalPersonId } = await room.claimed();
  const secret = createSecretKey(Buffer.from('a secret the register and this test share'));
  const take = createRegisterNotices(room.legalPersons, secret);
  const send = (value: unknown, { at = nowSeconds(), key = secret, id = 'n-1' } = {}) => {
    const body = typeof value === 'string' ? value : JSON.stringify(value);
    const timestamp = String(at);
    return take({ body, id, timestamp, signature: noticeSignature(key, id, timestamp, body) });
  };
  const changed = { uscc: COMPANY.uscc, event: 'representative_changed' };
  room.register.changeRepresentative(COMPANY.uscc, NEXT_REPRESENTATIVE);
  t.is(await send(changed, { key: createSecretKey(Buffer.from('another')) }), 'refused');
  t.is(await send(changed, { at: nowSeconds() - 301 }), 'refused');
  t.is(await send(changed, { at: nowSeconds() + 301 }), 'refused');
  t.is(await send(changed, { id: 'a b' }), 'refused');
  t.is(await send(`{"uscc":"${' '.repeat(5000)}"}`), 'refused');
  t.is(
    await take({ body: JSON.stringify(changed), id: undefined, timestamp: undefined, signature: undefined }),
    'refused',
  );
  t.is(await send('not json'), 'malformed');
  t.is(await send({ uscc: 'nothing' }), 'malformed');
  t.is(await send({ uscc: '91339900MA9X010302' }), 'unknown');
  t.is((await room.acting.subjectsOf(personId, PORTAL)).length, 1);
  t.is(await send(changed), 'done');
  t.deepEqual(await room.acting.subjectsOf(personId, PORTAL), []);
  t.is(await send(changed), 'done');
  t.is((await ledgerEntries(room.database, 'legal-person.suspended')).length, 1);
  t.like(await room.legalPersons.find(legalPersonId), { status: 'suspended' });
});
