import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { RETIRE_AFTER_SECONDS } from '../src/crypto/key-rotation.ts';
import { startFoundUpkeep } from '../src/people/found-upkeep.ts';
import type { FoundPerson } from '../src/people/person.ts';
import { turnClock } from '../src/shared/clock.ts';
import type { Database, SqlValue } from '../src/storage/database.ts';
import { guardedTable } from '../src/storage/guarded-tables.ts';
import { migrate } from '../src/storage/migrate.ts';
import { MIGRATIONS } from '../src/storage/migrations.ts';
import { openSqlite } from '../src/storage/sqlite.ts';
import { embeddedTest, postgresStore, postgresTest, sqliteDatabase } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { keyConfig, keyNode, later } from './support/key-house.ts';
import { DAY_MS } from './support/nights.ts';
import { addPerson, documentOf, identifierOf, idNumberOf, testPersons } from './support/people.ts';
import { insertText, plausibleRow, rowMakers } from './support/plausible-rows.ts';
import { startServer, WANG } from './support/server.ts';

test.afterEach.always(() => turnClock(0));

const ASKED = { origin: 'test' } as const;
const PROOF = { origin: 'test', verifiedBy: 'test' } as const;
const PASSPORT = documentOf('prc_passport', 'E12345678');
const PHONE = identifierOf('phone', '+8613800000002');

const COPIES = 'SELECT digest, person_id, status, ial, fourteen_at FROM found_people';
const TRUTH = `SELECT number_index AS digest, p.id AS person_id, p.status, p.ial, p.fourteen_at
    FROM identity_documents d JOIN persons p ON p.id = d.person_id
  UNION ALL SELECT value_index, p.id, p.status, p.ial, p.fourteen_at FROM sign_in_identifiers i JOIN persons p ON p.id = i.person_id`;

/** What the copies say, and no row says, and the other way round. */
const untrue = async (database: Pick<Database, 'all'>): Promise<readonly unknown[]> => [
  ...(await database.all(`SELECT * FROM (${COPIES}) EXCEPT SELECT * FROM (${TRUTH})`, [])),
  ...(await database.all(`SELECT * FROM (${TRUTH}) EXCEPT SELECT * FROM (${COPIES})`, [])),
];

const sealedCount = async (database: Pick<Database, 'get'>): Promise<number> => {
  const sql = 'SELECT count(*) AS sealed FROM found_people WHERE row_seal IS NOT NULL';
  return (await database.get<{ sealed: number }>(sql, []))?.sealed ?? -1;
};

const ENGINES = [
  ['SQLite', embeddedTest, async () => ({})],
  ['PostgreSQL', postgresTest, async (t: ExecutionContext) => ({ database: { url: await postgresStore(t) } })],
] as const;

for (const [engine, on, overrides] of ENGINES) {
  on.serial(`whoever is found is as their rows say, after each change there is (${engine})`, async (t) => {
    const server = await startServer(t, await overrides(t));
    const { house } = server;
    const { persons, identifiers, closures, merges, shredding, database } = house;
    const card = await server.addPerson(WANG);
    const added = await persons.add({ document: PASSPORT, name: WANG.name, ial: 3, origin: 'test' });
    const passport = added.ok ? added.person.id : '';
    const meant = async (typed: string): Promise<FoundPerson | undefined> => (await identifiers.resolve(typed))?.person;

    /** Looks twice: out of rows where the change took the seal away, and out of copies that have their seals. */
    const stand = async (what: string, wanted: Readonly<Record<string, readonly [string, string, number] | null>>) => {
      for (const round of ['at once', 'sealed']) {
        for (const [typed, person] of Object.entries(wanted)) {
          const found = await meant(typed);
          t.deepEqual(
            found ? [found.id, found.status, found.ial] : null,
            person as never,
            `${what}: ${typed} ${round}`,
          );
          const account = (await identifiers.resolve(typed))?.account;
          t.is(account === found?.id, person !== null, 'nobody has a name, and it is no account');
        }
        if (engine !== 'SQLite') return;
        t.deepEqual(await untrue(database), [], what);
        while ((await persons.found.copies!.sealSome('', 100)) !== undefined);
      }
      t.is(await sealedCount(database), Object.values(wanted).filter((person) => person !== null).length, what);
    };

    const [number, phone] = [WANG.idNumber, PHONE.value];
    const passed = PASSPORT.number;
    await stand('two accounts', { [number]: [card, 'active', 2], [passed]: [passport, 'active', 3], [phone]: null });
    await persons.disable(card, 'test');
    await stand('shut', { [number]: [card, 'disabled', 2], [passed]: [passport, 'active', 3] });
    await persons.enable(card, 'test');
    await stand('opened', { [number]: [card, 'active', 2], [passed]: [passport, 'active', 3] });
    await persons.setLevel(card, { ...ASKED, ial: 1, reason: 'register_mismatch' });
    await stand('a level fell', { [number]: [card, 'active', 1], [passed]: [passport, 'active', 3] });
    await identifiers.bind(card, PHONE, PROOF);
    await stand('a phone', {
      [number]: [card, 'active', 1],
      [phone]: [card, 'active', 1],
      [passed]: [passport, 'active', 3],
    });
    await identifiers.bind(passport, PHONE, PROOF);
    await stand('given on', {
      [number]: [card, 'active', 1],
      [phone]: [passport, 'active', 3],
      [passed]: [passport, 'active', 3],
    });
    await identifiers.release(passport, 'phone', ASKED);
    await stand('let go', { [number]: [card, 'active', 1], [phone]: null, [passed]: [passport, 'active', 3] });
    await identifiers.bind(passport, PHONE, PROOF);
    const merged = await merges.merge({ keptId: card, mergedId: passport }, ASKED);
    const level = (await persons.find(card))!.ial;
    await stand('merged', {
      [number]: [card, 'active', level],
      [phone]: [card, 'active', level],
      [passed]: [card, 'active', level],
    });
    await merges.undo(merged.ok ? merged.mergeId : '', ASKED);
    const apart = (await persons.find(card))!.ial;
    await stand('apart', {
      [number]: [card, 'active', apart],
      [phone]: [passport, 'active', 3],
      [passed]: [passport, 'active', 3],
    });
    await closures.ask(passport, ASKED);
    await stand('closing', {
      [number]: [card, 'active', apart],
      [phone]: [passport, 'closing', 3],
      [passed]: [passport, 'closing', 3],
    });
    turnClock(16 * DAY_MS);
    t.is(await shredding.shred(passport), 'shredded');
    await stand('closed', { [number]: [card, 'active', apart], [phone]: null, [passed]: null });
  });
}

const CHILD = idNumberOf('339900201601010015');

test('a child is found with the day on which they turn fourteen, out of a copy as out of the rows', async (t) => {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  await addPerson(persons, { idNumber: CHILD, name: '王小小', ial: 2, origin: 'test' });
  const unsealed = await persons.findByIdNumber(CHILD);
  t.true((unsealed?.fourteenAt ?? 0) > 0);
  await persons.found.copies!.sealSome('', 10);
  t.is(await sealedCount(database), 1);
  t.deepEqual(await persons.findByIdNumber(CHILD), unsealed);
});

/** A house on a file whose rows are under seal, with one person in it. */
async function sealedHouse(t: ExecutionContext, alteredRows: 'refuse' | 'tell' = 'refuse') {
  const raw = await sqliteDatabase(t);
  const config = keyConfig(t);
  const node = await keyNode(t, raw, { ...config, keys: { ...config.keys, alteredRows } });
  const { persons } = node;
  const number = idNumberOf('339900199001011014');
  const id = await addPerson(persons, { idNumber: number, name: '王小明', ial: 3, origin: 'test' });
  await persons.found.copies!.sealSome('', 10);
  return { raw, node, persons, number, id };
}

test('H10 a copy that this house did not seal is told of and not believed, and has its seal again soon', async (t) => {
  const { raw, node, persons, number, id } = await sealedHouse(t);
  const other = await addPerson(persons, { document: PASSPORT, name: '李四', ial: 1, origin: 'test' });
  await persons.found.copies!.sealSome('', 10);
  t.is(await sealedCount(raw), 2);
  const forged: readonly (readonly [string, readonly SqlValue[]])[] = [
    ['UPDATE found_people SET person_id = $1 WHERE person_id = $2', [other, id]],
    ['UPDATE found_people SET ial = 4 WHERE person_id = $1', [id]],
    ['UPDATE found_people SET row_seal = $1 WHERE person_id = $2', [Buffer.alloc(33), id]],
    [
      'UPDATE found_people SET person_id = $1, row_seal = (SELECT row_seal FROM found_people WHERE person_id = $1) WHERE person_id = $2',
      [other, id],
    ],
  ];
  for (const [sql, params] of forged) {
    t.is(await raw.run(sql, params), 1);
    node.altered.length = 0;
    t.like(await persons.findByIdNumber(number), { id, status: 'active', ial: 3 }, sql);
    t.is(node.altered.length, 1, sql);
    t.regex(node.altered[0]!, /^found_people:/);
    await persons.found.copies!.sealSome('', 10);
    t.deepEqual(await untrue(raw), [], sql);
    node.altered.length = 0;
    t.like(await persons.findByIdNumber(number), { id, ial: 3 });
    t.deepEqual(node.altered, [], 'it is as it was');
  }
});

test('H10 whoever alters a row that a copy was made of is found out as without the copy', async (t) => {
  for (const sql of [
    "UPDATE persons SET status = 'frozen' WHERE id = $1",
    'UPDATE persons SET phone_verified_at = 7 WHERE id = $1',
    'UPDATE identity_documents SET verified_level = 4 WHERE person_id = $1',
    "UPDATE identity_documents SET valid_to = '2999-01-01' WHERE person_id = $1",
  ]) {
    const { raw, persons, number, id } = await sealedHouse(t);
    await raw.run(sql, [id]);
    await t.throwsAsync(persons.findByIdNumber(number), { code: 'row_altered' } as never, sql);
    t.is(await persons.found.copies!.sealSome('', 10), undefined);
    t.is(await sealedCount(raw), 0, 'what is altered gets no seal');
    await t.throwsAsync(persons.findByIdNumber(number), { code: 'row_altered' } as never, sql);
  }
});

test('H10 a house that only tells of altered rows seals no copy, which might make one right', async (t) => {
  const { raw, node, persons, number, id } = await sealedHouse(t, 'tell');
  t.is(await sealedCount(raw), 0);
  await raw.run("UPDATE persons SET status = 'frozen' WHERE id = $1", [id]);
  t.like(await persons.findByIdNumber(number), { status: 'frozen' });
  await persons.found.copies!.sealSome('', 10);
  t.is(await sealedCount(raw), 0);
  t.true(node.altered.includes(`persons:${id}`));
});

test.serial(
  'H10 copies are under the key of rows in use when a key has been replaced, and none is told of as altered',
  async (t) => {
    const { raw, node, persons, number } = await sealedHouse(t);
    const before = await raw.get<{ row_seal: Uint8Array }>('SELECT row_seal FROM found_people', []);
    await node.keyRotation.stage('rows');
    await node.rotate('rows');
    later(RETIRE_AFTER_SECONDS + 1);
    t.like(await node.keyRotation.retire('rows', 'configured'), { ok: false, reason: 'needed' });
    t.is(await node.reseal(), 'finished');
    later(2 * (RETIRE_AFTER_SECONDS + 1));
    t.deepEqual(await node.keyRotation.retire('rows', 'configured'), { ok: true });
    t.notDeepEqual(await raw.get('SELECT row_seal FROM found_people', []), before);
    t.is(await sealedCount(raw), 1);
    t.truthy(await persons.findByIdNumber(number));
    t.deepEqual(node.altered, []);
  },
);

test('X13 people who were here before the copies are found, and whatever older code writes is copied', async (t) => {
  const database = await openSqlite({ file: join(temporaryFolder(t), 'old.db') });
  t.teardown(() => database.close());
  const before = (end: number) => ({ migrations: MIGRATIONS.filter(({ id }) => id < end) });
  await migrate(database, before(22));
  const makers = (await rowMakers(database)).filter(({ table }) =>
    ['persons', 'identity_documents', 'sign_in_identifiers'].includes(table),
  );
  for (const n of [1, 2, 3]) for (const maker of makers) await database.run(insertText(maker), plausibleRow(maker, n));
  t.deepEqual(await migrate(database, before(23)), ['people-as-found']);
  t.deepEqual(await untrue(database), []);
  for (const maker of makers) {
    await database.run(`${insertText(maker)} ON CONFLICT DO NOTHING`, plausibleRow(maker, 4));
    await database.run(insertText(maker).replace('INSERT', 'INSERT OR IGNORE'), plausibleRow(maker, 5));
  }
  t.deepEqual(await untrue(database), []);
  const persons = testPersons(database);
  const hadSeals = async (): Promise<void> => {
    await persons.found.copies!.sealSome('', 100);
    t.is(await sealedCount(database), 10);
  };
  await database.run("DELETE FROM sign_in_identifiers WHERE person_id = 'persons.id:5'", []);
  await database.run(insertText(makers.at(-1)!), plausibleRow(makers.at(-1)!, 5));
  for (const statement of [
    "UPDATE persons SET ial = 4 WHERE id = 'persons.id:1'",
    "UPDATE persons SET status = 'frozen', fourteen_at = 77 WHERE id = 'persons.id:2'",
    "UPDATE OR IGNORE identity_documents SET number_index = 'anew' WHERE person_id = 'persons.id:3'",
    "UPDATE sign_in_identifiers SET value_index = 'anew too' WHERE person_id = 'persons.id:3'",
    "UPDATE sign_in_identifiers SET person_id = 'persons.id:4', type = 'email' WHERE person_id = 'persons.id:1'",
  ]) {
    await hadSeals();
    t.is(await database.run(statement, []), 1, statement);
    t.true((await sealedCount(database)) < 10, statement);
    t.deepEqual(await untrue(database), [], statement);
  }
  await hadSeals();
  await database.run('UPDATE persons SET updated_at = 9, ial = ial', []);
  await database.run('UPDATE sign_in_identifiers SET bound_at = 9', []);
  t.is(await sealedCount(database), 10, 'what changes nothing that is asked for takes no seal away');
});

test('a copy loses its seal with everything that the seals of its rows cover', async (t) => {
  const database = await sqliteDatabase(t);
  for (const table of ['persons', 'identity_documents', 'sign_in_identifiers']) {
    const sql = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = $1";
    const trigger = await database.get<{ sql: string }>(sql, [`found_${table}_changed`]);
    const [, followed = ''] = /AFTER UPDATE OF (.+?) ON /s.exec(trigger?.sql ?? '') ?? [];
    const { row, columns } = guardedTable(table)!;
    // People have their ids for good; of the others the name says who is found.
    const covered = [...(table === 'persons' ? [] : row), ...columns];
    t.deepEqual(new Set(followed.split(', ')), new Set(covered), table);
  }
});

const many = async (database: Database, count: number): Promise<void> => {
  await database.run(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
     INSERT INTO found_people (digest, person_id, status, ial, row_seal) SELECT 'd' || i, 'nobody', 'active', 1, x'00' FROM n`,
    [count],
  );
};

const until = async (is: () => boolean | Promise<boolean>): Promise<void> => {
  for (let look = 0; look < 2_000 && !(await is()); look += 1) await new Promise((next) => setTimeout(next, 5));
};

test('after a start all people are walked through once, in slices, and those without a seal get theirs', async (t) => {
  const database = await sqliteDatabase(t);
  const persons = testPersons(database);
  const copies = persons.found.copies!;
  await many(database, 20_000);
  await addPerson(persons, { idNumber: CHILD, name: '王小小', ial: 2, origin: 'test' });
  const slices: number[] = [];
  let last: string | undefined = '';
  const upkeep = startFoundUpkeep({
    copies: {
      ...copies,
      async walkSome(after, rowsMax) {
        slices.push(rowsMax);
        last = await copies.walkSome(after, rowsMax);
        return last;
      },
    },
    onFault: (error) => t.fail(String(error)),
  });
  t.teardown(() => upkeep.stop());
  await until(async () => (await sealedCount(database)) === 20_001);
  t.true(last === undefined);
  t.true(slices.length > 5, `${slices.length} slices`);
  const sum = slices.reduce((all, one) => all + one, 0);
  t.true(sum > 20_000 && slices[0] === 100, slices.join());
  t.is(await sealedCount(database), 20_001);

  const walked = slices.length;
  const other = await addPerson(persons, { document: PASSPORT, name: '李四', ial: 1, origin: 'test' });
  t.is((await persons.findByDocument(PASSPORT))?.id, other);
  await until(async () => (await sealedCount(database)) === 20_002);
  t.is(await sealedCount(database), 20_002, 'whoever was met without a seal has one soon');
  t.is(slices.length, walked, 'nobody is walked through twice');
});

test('X7 a walk that is under way ends with the server', async (t) => {
  const database = await sqliteDatabase(t);
  await many(database, 5_000);
  const copies = testPersons(database).found.copies!;
  let walks = 0;
  const upkeep = startFoundUpkeep({
    copies: {
      ...copies,
      async walkSome(after, rowsMax) {
        walks += 1;
        return copies.walkSome(after, Math.min(rowsMax, 10));
      },
    },
    onFault: (error) => t.fail(String(error)),
  });
  await until(() => walks >= 3);
  await upkeep.stop();
  const ended = walks;
  await new Promise((next) => setTimeout(next, 100));
  t.is(walks, ended);
  t.true(ended < 500, 'it was under way');
});

test('a store that cannot be read for a moment is told of', async (t) => {
  const faults: unknown[] = [];
  const upkeep = startFoundUpkeep({
    copies: {
      walkSome: async () => Promise.reject(new Error('gone')),
      sealSome: async () => undefined,
      onUnsealed: () => {},
    },
    onFault: (error) => faults.push(error),
  });
  await until(() => faults.length > 0);
  await upkeep.stop();
  t.is(faults.length, 1);
});
