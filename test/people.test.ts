import test, { type ExecutionContext } from 'ava';
import { claimsFor } from '../src/people/claims.ts';
import { createKnownDevices } from '../src/people/known-devices.ts';
import { parsePersonDetails } from '../src/people/person-details.ts';
import { turnClock } from '../src/shared/clock.ts';
import { Fault } from '../src/shared/fault.ts';
import { sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { addPerson, idNumberOf, testPersons } from './support/people.ts';

const WANG = { idNumber: idNumberOf('339900199001011014'), name: '王小明', ial: 2, origin: 'test' } as const;
const LI = {
  idNumber: idNumberOf('33990019850701009X'),
  name: '李思远',
  phone: '+8613800000000',
  email: 'li@example.cn',
  address: '某省某市某路 1 号',
  ial: 1,
  origin: 'test',
} as const;

async function people(t: ExecutionContext) {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  return { database, persons, added: (person: typeof WANG | typeof LI) => addPerson(persons, person) };
}

test.afterEach.always(() => turnClock(0));

test('X2 a hundred registrations of one number at once make one account and one event', async (t) => {
  const { database, persons } = await people(t);
  const outcomes = await Promise.all(Array.from({ length: 100 }, () => persons.add(WANG)));
  t.is(outcomes.filter(({ ok }) => ok).length, 1);
  for (const table of ['persons', 'identity_documents', 'ledger_entries']) {
    t.is((await database.all(`SELECT 1 FROM ${table}`, [])).length, 1, table);
  }
  t.deepEqual(await persons.add(WANG), { ok: false, reason: 'exists' });
});

test('what belongs to a new account is written with it or not at all', async (t) => {
  const { database, persons } = await people(t);
  await t.throwsAsync(
    persons.add(WANG, async () => {
      throw new Error('disk full');
    }),
  );
  t.is(await persons.findByIdNumber(WANG.idNumber), undefined);
  t.is((await ledgerEntries(database)).length, 0);
});

test('F6 nothing personal stands in the database file readable, nor in the ledger', async (t) => {
  const { database, added } = await people(t);
  await added(LI);
  for (const table of ['persons', 'identity_documents', 'ledger_entries']) {
    for (const row of await database.all<Record<string, unknown>>(`SELECT * FROM ${table}`, [])) {
      const text = Object.values(row)
        .map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : String(value)))
        .join('|');
      for (const secret of [LI.idNumber, LI.name, LI.phone, LI.email, LI.address])
        t.false(text.includes(secret), table);
    }
  }
});

test('a person is found by number and by id, and the profile is whole', async (t) => {
  const { persons, added } = await people(t);
  const id = await added(LI);
  t.is((await persons.findByIdNumber(LI.idNumber))?.id, id);
  t.like(await persons.find(id), { ...(await persons.findByIdNumber(LI.idNumber)) });
  t.like(await persons.profile(id), {
    id,
    status: 'active',
    ial: 1,
    idNumber: LI.idNumber,
    name: LI.name,
    phone: LI.phone,
    email: LI.email,
    address: LI.address,
    birthDate: '1985-07-01',
    sex: 'male',
  });
  t.is(await persons.find('psn_none'), undefined);
  t.is(await persons.profile('psn_none'), undefined);
  t.is(await persons.findByIdNumber(WANG.idNumber), undefined);
});

test('a sealed value pasted into another account does not open', async (t) => {
  const { database, persons, added } = await people(t);
  const wang = await added(WANG);
  const li = await added(LI);
  await database.run('UPDATE persons SET name_sealed = (SELECT name_sealed FROM persons WHERE id = $1) WHERE id = $2', [
    wang,
    li,
  ]);
  const pasted = await persons.profile(li);
  t.throws(() => pasted?.name, { instanceOf: Fault });
  await database.run(
    'UPDATE identity_documents SET number_sealed = (SELECT number_sealed FROM identity_documents WHERE person_id = $1) WHERE person_id = $2',
    [li, wang],
  );
  const renumbered = await persons.profile(wang);
  t.is(renumbered?.name, WANG.name);
  t.throws(() => renumbered?.idNumber, { instanceOf: Fault });
});

test('F2 a person is switched off and on, each with one event', async (t) => {
  const { database, persons, added } = await people(t);
  const id = await added(WANG);
  t.is(await persons.disable(id, 'test'), 'changed');
  t.is(await persons.disable(id, 'test'), 'unchanged');
  t.is((await persons.find(id))?.status, 'disabled');
  t.is(await persons.enable(id, 'test'), 'changed');
  t.is((await persons.find(id))?.status, 'active');
  t.is(await persons.enable('psn_none', 'test'), 'unknown');
  const events = await ledgerEntries(database);
  t.deepEqual(
    events.map(({ type }) => type),
    ['person.added', 'person.disabled', 'person.enabled'],
  );
});

test('scopes open their claims and no others', async (t) => {
  const { persons, added } = await people(t);
  const li = (await persons.profile(await added(LI)))!;
  const wang = (await persons.profile(await added(WANG)))!;
  t.deepEqual(claimsFor(['openid', 'profile'], li), {
    name: '李思远',
    gender: 'male',
    birthdate: '1985-07-01',
    updated_at: li.updatedAt,
  });
  t.deepEqual(claimsFor(['phone', 'email', 'address'], li), {
    phone_number: LI.phone,
    phone_number_verified: false,
    email: LI.email,
    email_verified: false,
    address: { formatted: LI.address },
  });
  t.deepEqual(claimsFor(['phone', 'email', 'address', '__proto__', 'constructor'], wang), {});
  t.deepEqual(claimsFor(['id_number'], wang), { id_number: WANG.idNumber });
  t.deepEqual(claimsFor(['identity'], wang), {
    name_masked: '*小明',
    id_number_masked: '3****************4',
    id_type: 'resident_id_card',
    ial: 2,
  });
});

test('E7 details are taken in normal form, and what could rewrite a page is refused', (t) => {
  const read = (input: unknown) => {
    const outcome = parsePersonDetails(input);
    return outcome.ok ? outcome.details : outcome.field;
  };
  t.deepEqual(read({ name: ' 王小明 ', phone: '138 0000-0000', email: ' a@b.cn ' }), {
    name: '王小明',
    phone: '+8613800000000',
    email: 'a@b.cn',
  });
  for (const name of ['', ' ', '王\u202e明', '王\n明', '王\u200b明', 'x'.repeat(101), '\ud800', 7])
    t.is(read({ name }), 'name');
  t.is(read({ name: '王', phone: '110' }), 'phone');
  t.is(read({ name: '王', email: 'a@b@c' }), 'email');
  t.is(read({ name: '王', email: 'a@b.cn\r\nBcc: x@y.cn' }), 'email');
  t.is(typeof read({ name: '王', role: 'admin' }), 'string', 'F5 unknown fields are refused');
});

test.serial('D8 a browser that signed in before is recognised for its own person only', async (t) => {
  const { database, added } = await people(t);
  const devices = createKnownDevices({ database });
  const wang = await added(WANG);
  const li = await added(LI);
  const remember = async (person: string, presented?: string): Promise<string> => {
    const { secret: shown, write } = await devices.remember(person, presented);
    await database.write(write);
    return shown;
  };
  const secret = await remember(wang);
  const digest = await devices.recognises(wang, secret);
  t.regex(digest ?? '', /^[\w-]{43}$/);
  t.false(
    (await database.all<{ device_digest: string }>('SELECT * FROM known_devices', []))[0]!.device_digest.includes(
      secret,
    ),
  );
  for (const [person, shown] of [
    [li, secret],
    [undefined, secret],
    [wang, undefined],
    [wang, `${secret}x`],
    [wang, ''],
  ] as const) {
    t.is(await devices.recognises(person, shown), undefined);
  }
  t.is(await remember(wang, secret), secret);
  t.not(await remember(li, secret), secret, 'a secret of somebody else is never adopted');
  t.not(await remember(wang, 'A'.repeat(32)), 'A'.repeat(32), 'nor one that was planted');
  for (let n = 0; n < 30; n += 1) await remember(wang);
  t.is((await database.all('SELECT 1 FROM known_devices WHERE person_id = $1', [wang])).length, 10);
  const last = await remember(wang);
  turnClock(181 * 24 * 3600 * 1000);
  t.is(await devices.recognises(wang, last), undefined);
  turnClock(0);
  await devices.forgetAll(wang);
  t.is(await devices.recognises(wang, last), undefined);
});
