import type { ExecutionContext } from 'ava';
import { claimsFor } from '../src/people/claims.ts';
import type { Database } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { addPerson, documentOf, idNumberOf, testPersons } from './support/people.ts';

const WANG = { idNumber: idNumberOf('339900199001011014'), name: '王小明', ial: 2, origin: 'test' } as const;
const NET = { document: documentOf('net_number', 'Ab3dEf6hIj9kLm2nOp5q'), ial: 3, origin: 'test' } as const;
const PASSPORT = documentOf('foreign_passport', 'AB1234567', 'CAN');
const PERMIT = documentOf('hm_travel_permit', 'H1234567801');
const CARD_2017 = documentOf('foreign_resident_card_2017', 'CAN110081080310');
const CARD_2023 = documentOf('foreign_resident_card', '911124198108030024');
const SELF_SAID = { level: 1 } as const;
const ASKED = { origin: 'test' } as const;

const ENGINES = [
  ['sqlite', embeddedTest, sqliteDatabase],
  ['postgres', postgresTest, postgresDatabase],
] as const;

for (const [engine, testOn, open] of ENGINES) {
  const people = async (t: ExecutionContext) => {
    const database: Database = await open(t);
    return { database, persons: testPersons(database) };
  };

  testOn(`a person who gave no plaintext identity has an account like everybody (${engine})`, async (t) => {
    const { persons } = await people(t);
    const id = await addPerson(persons, NET);
    t.is((await persons.findByDocument(NET.document))?.id, id);
    t.deepEqual(await persons.add(NET), { ok: false, reason: 'exists' });
    const profile = (await persons.profile(id))!;
    t.is(profile.name, undefined);
    t.is(profile.idNumber, undefined);
    t.is(profile.birthDate, undefined);
    t.is(profile.sex, undefined);
    t.deepEqual(profile.document, NET.document);
    const everything = ['openid', 'profile', 'phone', 'email', 'address', 'id_number', 'identity'];
    t.deepEqual(claimsFor(everything, profile), {
      updated_at: profile.updatedAt,
      id_number_masked: 'Ab3dE**********nOp5q',
      id_type: 'net_number',
      ial: 3,
    });
    t.is(await persons.disable(id, 'test'), 'changed');
    t.is((await persons.profile(id))?.status, 'disabled');
  });

  testOn(
    `one person holds several documents and is found by each; the telling one stands for them (${engine})`,
    async (t) => {
      const { persons, database } = await people(t);
      const id = await addPerson(persons, NET);
      const proof = { level: 2, source: 'a register', at: 1000 } as const;
      const passport = await persons.addDocument(
        id,
        { document: PASSPORT, proof, validFrom: '2020-02-01', validTo: '2030-01-31' },
        ASKED,
      );
      t.true(passport.ok);
      t.like(
        await persons.profile(id),
        { document: PASSPORT, idNumber: undefined },
        'plain text before a network number',
      );
      const card = await persons.addDocument(
        id,
        { document: documentOf('resident_id_card', WANG.idNumber), proof: SELF_SAID },
        ASKED,
      );
      t.like(await persons.profile(id), { idNumber: WANG.idNumber, birthDate: '1990-01-01', name: undefined });
      for (const document of [NET.document, PASSPORT]) t.is((await persons.findByDocument(document))?.id, id);
      t.is((await persons.findByIdNumber(WANG.idNumber))?.id, id);

      const held = await persons.documents(id);
      t.deepEqual(held.map(({ document: { type }, primary }) => [type, primary]).toSorted(), [
        ['foreign_passport', false],
        ['net_number', false],
        ['resident_id_card', true],
      ]);
      t.like(
        held.find(({ id: at }) => passport.ok && at === passport.id),
        { proof, validFrom: '2020-02-01', validTo: '2030-01-31' },
      );

      t.true(
        card.ok &&
          (await persons.verifyDocument(id, card.id, { level: 3, source: 'counter', validTo: '2040-12-31' }, ASKED)),
      );
      t.like((await persons.documents(id))[0], {
        proof: { level: 3, source: 'counter' },
        validTo: '2040-12-31',
        primary: true,
      });
      t.false(await persons.verifyDocument('psn_none', card.ok ? card.id : '', { level: 3 }, ASKED));

      t.is(card.ok && (await persons.removeDocument(id, card.id, ASKED)), 'removed');
      t.deepEqual((await persons.profile(id))?.document, PASSPORT, 'the next telling one takes its place at once');
      t.is(await persons.findByIdNumber(WANG.idNumber), undefined);
      t.is(card.ok && (await persons.removeDocument(id, card.id, ASKED)), 'unknown');
      const types = (await ledgerEntries(database)).map(({ type }) => type);
      t.deepEqual(types, ['person.added', 'document.added', 'document.added', 'document.verified', 'document.removed']);
      for (const entry of await ledgerEntries(database))
        t.false(JSON.stringify(entry).includes(WANG.idNumber) || JSON.stringify(entry).includes('AB1234567'), 'F6');
    },
  );

  testOn(`X2 a hundred people who bring one document at once: one gets it (${engine})`, async (t) => {
    const { persons } = await people(t);
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        addPerson(persons, {
          document: documentOf('taiwan_travel_permit', String(10_000_000 + n)),
          ial: 1,
          origin: 'test',
        }),
      ),
    );
    const attempts = [
      ...ids.flatMap((id) =>
        Array.from({ length: 4 }, () => persons.addDocument(id, { document: PERMIT, proof: SELF_SAID }, ASKED)),
      ),
      ...Array.from({ length: 20 }, () => persons.add({ document: PERMIT, ial: 1, origin: 'test' })),
    ];
    const outcomes = await Promise.all(attempts);
    t.is(outcomes.filter(({ ok }) => ok).length, 1);
    t.true(outcomes.every((outcome) => outcome.ok || outcome.reason === 'exists'));
  });

  testOn(`the last document stays, also when all are removed at once (${engine})`, async (t) => {
    const { persons } = await people(t);
    const id = await addPerson(persons, WANG);
    await persons.addDocument(id, { document: PASSPORT, proof: SELF_SAID }, ASKED);
    await persons.addDocument(id, { document: NET.document, proof: SELF_SAID }, ASKED);
    const held = await persons.documents(id);
    const outcomes = await Promise.all(held.map((one) => persons.removeDocument(id, one.id, ASKED)));
    t.deepEqual(outcomes.toSorted(), ['last', 'removed', 'removed']);
    const left = await persons.documents(id);
    t.is(left.length, 1);
    t.true(left[0]?.primary);
    t.deepEqual((await persons.profile(id))?.document, left[0]?.document);
  });

  testOn(`the two versions of the foreign card are two documents, joined only by hand (${engine})`, async (t) => {
    const { persons } = await people(t);
    const old = await addPerson(persons, { document: CARD_2017, name: 'Jean Martin', ial: 2, origin: 'test' });
    const recent = await addPerson(persons, { document: CARD_2023, name: 'Jean Martin', ial: 2, origin: 'test' });
    t.not(old, recent);
    t.deepEqual(await persons.addDocument(old, { document: CARD_2023, proof: SELF_SAID }, ASKED), {
      ok: false,
      reason: 'exists',
    });
    t.deepEqual(await persons.addDocument('psn_none', { document: PASSPORT, proof: SELF_SAID }, ASKED), {
      ok: false,
      reason: 'unknown_person',
    });
    t.like(await persons.profile(recent), { birthDate: '1981-08-03', sex: 'female' });
  });

  testOn(`nobody holds more documents than ten (${engine})`, async (t) => {
    const { persons } = await people(t);
    const id = await addPerson(persons, WANG);
    const outcomes = await Promise.all(
      Array.from({ length: 15 }, (_, n) =>
        persons.addDocument(
          id,
          { document: documentOf('foreign_passport', `A${10_000 + n}`, 'FRA'), proof: SELF_SAID },
          ASKED,
        ),
      ),
    );
    t.is(outcomes.filter(({ ok }) => ok).length, 9);
    t.true(outcomes.every((outcome) => outcome.ok || outcome.reason === 'too_many'));
  });
}
