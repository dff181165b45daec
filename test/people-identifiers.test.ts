import type { ExecutionContext } from 'ava';
import { claimsFor } from '../src/people/claims.ts';
import type { Database, Transaction } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import {
  addPerson,
  documentOf,
  identifierOf,
  idNumberOf,
  type Losses,
  testIdentifiers,
  testPersons,
} from './support/people.ts';

const WANG = { idNumber: idNumberOf('339900199001011014'), name: '王小明', ial: 2, origin: 'test' } as const;
const LI = {
  idNumber: idNumberOf('33990019850701009X'),
  name: '李思远',
  phone: '+8613800000000',
  ial: 2,
  origin: 'test',
} as const;
const NAMELESS = { document: documentOf('net_number', 'Ab3dEf6hIj9kLm2nOp5q'), ial: 3, origin: 'test' } as const;
const PHONE = identifierOf('phone', '13800000000');
const EMAIL = identifierOf('email', 'Wang@Example.cn');
const NAME = identifierOf('user_name', 'Xiao.Ming');
const PROOF = { origin: 'test', verifiedBy: 'one_time_code' } as const;

const ENGINES = [
  ['sqlite', embeddedTest, sqliteDatabase],
  ['postgres', postgresTest, postgresDatabase],
] as const;

for (const [engine, testOn, open] of ENGINES) {
  const people = async (t: ExecutionContext) => {
    const database: Database = await open(t);
    const persons = testPersons(database);
    const losses: Losses = [];
    return { database, persons, losses, identifiers: testIdentifiers(database, persons, losses) };
  };

  testOn(
    `D6 V41 every identifier of a person leads to the person and to one account to count under (${engine})`,
    async (t) => {
      const { persons, identifiers } = await people(t);
      const wang = await addPerson(persons, WANG);
      for (const identifier of [PHONE, EMAIL, NAME])
        t.deepEqual(await identifiers.bind(wang, identifier, PROOF), { ok: true });
      await persons.addDocument(
        wang,
        { document: documentOf('prc_passport', 'E12345678'), proof: { level: 1 } },
        PROOF,
      );
      const spellings = [
        WANG.idNumber,
        '339900900101101',
        '138 0000 0000',
        '+8613800000000',
        'WANG@example.cn',
        'XIAO.ming',
        'e12345678',
      ];
      for (const typed of spellings)
        t.like(await identifiers.resolve(typed), { account: wang, person: { id: wang } }, typed);

      const unknown = ['33990019850701009X', '13900000000', 'li@example.cn', 'nobody.here', 'H12345678'];
      const accounts = await Promise.all(unknown.map((typed) => identifiers.resolve(typed)));
      t.true(accounts.every((resolved) => resolved?.person === undefined));
      t.is(new Set(accounts.map((resolved) => resolved?.account)).size, unknown.length);
      t.true(
        accounts.every((resolved) => /^[\w-]{43}$/.test(resolved?.account ?? '')),
        'a keyed digest, nothing that was typed',
      );
      t.is((await identifiers.resolve('139 0000 0000'))?.account, accounts[1]?.account, 'of the normal form');
      t.is(await identifiers.resolve('???'), undefined);
    },
  );

  testOn(`D9 a look-up takes one statement, whoever is there and whoever is not (${engine})`, async (t) => {
    const { database, persons } = await people(t);
    const wang = await addPerson(persons, WANG);
    await testIdentifiers(database, persons).bind(wang, PHONE, PROOF);
    // The first look-up after a change takes one more, and nobody can have it repeated.
    await persons.found.copies?.sealSome('', 10);
    const statements: string[] = [];
    const watched: Database = Object.create(database, {
      get: { value: (sql: string, params: never) => statements.push(sql) && database.get(sql, params) },
      all: { value: () => t.fail('one row is enough') },
      undoneWrites: { value: () => database.undoneWrites() },
    });
    const identifiers = testIdentifiers(watched, testPersons(watched));
    for (const [known, unknown] of [
      [WANG.idNumber, '33990019850701009X'],
      ['13800000000', '13900000000'],
      ['13800000000', 'wang@example.cn'],
      ['13800000000', 'xiao.ming'],
    ] as const) {
      const before = statements.length;
      t.is((await identifiers.resolve(known))?.person?.id, wang);
      const between = statements.length;
      t.is((await identifiers.resolve(unknown))?.person, undefined);
      t.is(between - before, 1);
      t.deepEqual(statements.slice(between), statements.slice(before, between), `${known} and ${unknown}`);
    }
  });

  testOn(
    `a phone that somebody else verifies leaves the old account, which is told; nobody becomes one person (${engine})`,
    async (t) => {
      const { database, persons, identifiers, losses } = await people(t);
      const wang = await addPerson(persons, WANG);
      const li = await addPerson(persons, LI);
      t.like(await persons.profile(li), { phone: LI.phone, phoneVerified: false });
      t.is(
        (await identifiers.resolve('13800000000'))?.person,
        undefined,
        'a number nobody has verified signs nobody in',
      );
      for (const identifier of [PHONE, EMAIL]) await identifiers.bind(wang, identifier, PROOF);
      t.like(await persons.profile(wang), {
        phone: '+8613800000000',
        phoneVerified: true,
        email: 'wang@example.cn',
        emailVerified: true,
      });
      t.deepEqual(claimsFor(['phone', 'email'], (await persons.profile(wang))!), {
        phone_number: '+8613800000000',
        phone_number_verified: true,
        email: 'wang@example.cn',
        email_verified: true,
      });

      const asked = { ...PROOF, address: '192.0.2.7', userAgent: 'a browser of Li' };
      t.deepEqual(await identifiers.bind(li, PHONE, asked), { ok: true, left: wang });
      t.deepEqual(losses, [[wang, 'phone']]);
      t.is((await identifiers.resolve('13800000000'))?.person?.id, li);
      t.like(
        await persons.profile(wang),
        { phone: undefined, phoneVerified: false, emailVerified: true },
        'and is shown as theirs no more',
      );
      t.like(await persons.profile(li), { phone: '+8613800000000', phoneVerified: true });
      t.is((await persons.findByIdNumber(WANG.idNumber))?.id, wang, 'two people stay two');

      const released = await ledgerEntries(database, 'identifier.released');
      t.is(released.length, 1);
      t.like(released[0], {
        subject: wang,
        actor: 'system',
        ip: null,
        ua: null,
        data: { origin: 'test', identifier: 'phone', cause: 'taken_over' },
      });
      t.like((await ledgerEntries(database, 'identifier.bound')).at(-1), {
        subject: li,
        data: { origin: 'test', identifier: 'phone', verifiedBy: 'one_time_code' },
      });
      for (const entry of await ledgerEntries(database)) t.false(/138|example/.test(JSON.stringify(entry.data)), 'F6');
    },
  );

  testOn(`a user name is never taken over, and each person has one of each kind (${engine})`, async (t) => {
    const { persons, identifiers, losses } = await people(t);
    const [wang, li] = [await addPerson(persons, WANG), await addPerson(persons, LI)];
    await identifiers.bind(wang, NAME, { origin: 'test', verifiedBy: 'chosen' });
    t.deepEqual(await identifiers.bind(li, identifierOf('user_name', 'XIAO.MING'), PROOF), {
      ok: false,
      reason: 'taken',
    });
    t.deepEqual(await identifiers.bind(wang, identifierOf('user_name', 'daming'), PROOF), { ok: true });
    t.is((await identifiers.resolve('xiao.ming'))?.person, undefined, 'the old name is free');
    t.deepEqual(await identifiers.bind(li, NAME, PROOF), { ok: true });
    t.deepEqual(await identifiers.bind(li, NAME, PROOF), { ok: true }, 'binding what one has changes nothing');
    t.like(await persons.profile(li), { userName: 'xiao.ming' });
    t.deepEqual(
      (await identifiers.list(wang)).map(({ type, verifiedBy }) => [type, verifiedBy]),
      [['user_name', 'one_time_code']],
    );
    t.is(await identifiers.release(wang, 'user_name', PROOF), 'released');
    t.is(await identifiers.release(wang, 'user_name', PROOF), 'none');
    t.is((await persons.profile(wang))?.userName, undefined);
    t.deepEqual(await identifiers.bind('psn_none', PHONE, PROOF), { ok: false, reason: 'unknown_person' });
    t.deepEqual(losses, []);
  });

  testOn(
    `twenty people who verify one phone at once: it is with one of them in the end, and all others were told (${engine})`,
    async (t) => {
      const { database, persons, identifiers, losses } = await people(t);
      const ids = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          addPerson(persons, { ...NAMELESS, document: documentOf('net_number', `${NAMELESS.document.number}${n}`) }),
        ),
      );
      const outcomes = await Promise.all(ids.map((id) => identifiers.bind(id, PHONE, PROOF)));
      t.true(outcomes.every(({ ok }) => ok));
      const rows = await database.all<{ person_id: string }>('SELECT person_id FROM sign_in_identifiers', []);
      t.is(rows.length, 1);
      const holders = await database.all<{ id: string }>(
        'SELECT id FROM persons WHERE phone_verified_at IS NOT NULL',
        [],
      );
      t.deepEqual(
        holders.map(({ id }) => id),
        rows.map(({ person_id: id }) => id),
      );
      const told = new Set(losses.map(([id]) => id));
      t.is(told.size, 19);
      t.false(told.has(rows[0]!.person_id));
      const names = await Promise.all(ids.map((id) => identifiers.bind(id, NAME, PROOF)));
      t.is(names.filter(({ ok }) => ok).length, 1, 'and of a user name one has it from the start');
    },
  );

  testOn(`what is bound within a transaction goes with it (${engine})`, async (t) => {
    const { database, persons, identifiers } = await people(t);
    const wang = await addPerson(persons, WANG);
    await t.throwsAsync(
      database.write(async (tx: Transaction) => {
        await identifiers.bindIn(tx, wang, PHONE, PROOF);
        throw new Error('the code was spent');
      }),
    );
    t.deepEqual(await identifiers.list(wang), []);
    t.is((await persons.profile(wang))?.phone, undefined);
    t.is((await ledgerEntries(database, 'identifier.bound')).length, 0);
  });
}
