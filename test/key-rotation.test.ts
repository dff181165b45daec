import test, { type ExecutionContext } from 'ava';
import { RETIRE_AFTER_SECONDS } from '../src/crypto/key-rotation.ts';
import { sealedWalks } from '../src/crypto/resealing.ts';
import { sealedWith } from '../src/crypto/sealing.ts';
import type { RingPurpose } from '../src/crypto/secret-ring.ts';
import { personContext } from '../src/people/person.ts';
import { turnClock } from '../src/shared/clock.ts';
import type { Database, SqlValue } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { type KeyNode, keyConfig, keyNode, later } from './support/key-house.ts';
import { ledgerEntries } from './support/ledger.ts';
import { addPerson, identifierOf, idNumberOf } from './support/people.ts';
import { until } from './support/waiting.ts';

const WANG = { idNumber: idNumberOf('339900199001011014'), name: '王小明', ial: 2, origin: 'test' } as const;
const LI = { idNumber: idNumberOf('33990019850701009X'), name: '李思远', ial: 2, origin: 'test' } as const;
const PHONE = identifierOf('phone', '13800000000');
const PROOF = { origin: 'test', verifiedBy: 'counter' } as const;
const PASSWORD = 'correct horse battery';

test.afterEach.always(() => turnClock(0));

const ENGINES = [
  { on: embeddedTest, name: 'SQLite', open: sqliteDatabase },
  { on: postgresTest, name: 'PostgreSQL', open: postgresDatabase },
] as const;

async function house(t: ExecutionContext, database: Database) {
  const config = keyConfig(t);
  const node = await keyNode(t, database, config);
  const wang = await addPerson(node.persons, WANG);
  t.true((await node.identifiers.bind(wang, PHONE, PROOF)).ok);
  await node.passwords.set(wang, PASSWORD, 'test');
  return { config, node, wang };
}

const nameSealedWith = async (database: Database, id: string): Promise<string | undefined> => {
  const row = await database.get<{ name_sealed: Uint8Array }>('SELECT name_sealed FROM persons WHERE id = $1', [id]);
  return sealedWith(row!.name_sealed);
};

const purposeOf = (purpose: RingPurpose) => (entry: { readonly data?: unknown }) =>
  (entry.data as { purpose?: string } | undefined)?.purpose === purpose;

for (const { on, name, open } of ENGINES) {
  on.serial(
    `H2 on ${name} a new key seals at once, what an old one sealed is sealed anew, and only then it can go`,
    async (t) => {
      const database = await open(t);
      const { config, node, wang } = await house(t, database);
      const other = await keyNode(t, database, config);
      t.is(await nameSealedWith(database, wang), 'configured');
      await node.keyRotation.stage('sealing');
      t.like(
        await node.keyRotation.putInUse('sealing'),
        { ok: false, reason: 'too_soon' },
        'not every process knows it',
      );
      await other.ring.refresh();
      const id = await node.rotate('sealing');

      const li = await addPerson(node.persons, LI);
      t.is(await nameSealedWith(database, li), id, 'new rows stand under the new key');
      t.is((await other.persons.profile(li))?.name, LI.name, 'which a process opens that has not heard of the change');
      t.is((await node.persons.profile(wang))?.name, WANG.name);
      t.like(await node.keyRotation.retire('sealing', 'configured'), { ok: false, reason: 'too_soon' });
      t.like(await node.keyRotation.retire('sealing', id), { ok: false, reason: 'in_use' });
      later(RETIRE_AFTER_SECONDS + 1);
      const early = await node.keyRotation.retire('sealing', 'configured');
      t.like(early, { ok: false, reason: 'needed' });
      t.true('dependents' in early && early.dependents.some(({ table, rows }) => table === 'persons' && rows === 1));

      t.is(await node.reseal(), 'finished');
      t.is(await nameSealedWith(database, wang), id);
      t.deepEqual(await node.keyRotation.retire('sealing', 'configured'), { ok: true });
      for (const one of [node, await keyNode(t, database, config)]) {
        one.persons.forget(wang);
        t.is((await one.persons.profile(wang))?.name, WANG.name);
        t.deepEqual(one.altered, []);
      }
      const types = (await ledgerEntries(database)).filter(purposeOf('sealing')).map(({ type }) => type);
      t.deepEqual(types, ['key.created', 'key.rotated', 'key.removed']);
      t.is((await ledgerEntries(database, 'key.resealed')).length, 1);
    },
  );

  on.serial(
    `on ${name} people are found by number and phone before, while and after their index is made anew`,
    async (t) => {
      const database = await open(t);
      const { config, node, wang } = await house(t, database);
      const lagging = await keyNode(t, database, config);
      const found = async (one: KeyNode): Promise<unknown[]> => [
        (await one.identifiers.resolve(WANG.idNumber))?.person?.id,
        (await one.identifiers.resolve(PHONE.value))?.person?.id,
      ];
      await node.keyRotation.stage('index');
      await lagging.ring.refresh();
      await node.rotate('index');
      t.deepEqual(await found(node), [wang, wang]);
      t.deepEqual(await node.persons.add(WANG), { ok: false, reason: 'exists' });

      const both = await Promise.all([node.persons.add(LI), lagging.persons.add(LI)]);
      t.is(
        both.filter(({ ok }) => ok).length,
        1,
        'two nodes, one of which has not heard of the change, make one account',
      );
      t.is(await node.reseal(), 'finished');
      later(RETIRE_AFTER_SECONDS + 1);
      t.deepEqual(await found(node), [wang, wang]);
      t.deepEqual(await found(lagging), [wang, wang]);
      t.deepEqual(await node.keyRotation.retire('index', 'configured'), { ok: true });
      t.deepEqual(await found(node), [wang, wang]);
      t.deepEqual(await node.persons.add(WANG), { ok: false, reason: 'exists' });
      const rows = await database.all('SELECT 1 FROM identity_documents', []);
      t.is(rows.length, 2);
    },
  );

  on.serial(
    `on ${name} a phone changes hands while the index is being changed, and stays with one person`,
    async (t) => {
      const database = await open(t);
      const { node, wang } = await house(t, database);
      const li = await addPerson(node.persons, LI);
      await node.rotate('index');
      t.deepEqual(await node.identifiers.bind(li, PHONE, PROOF), { ok: true, left: wang });
      t.is((await node.identifiers.resolve(PHONE.value))?.person?.id, li);
      t.is((await database.all('SELECT 1 FROM sign_in_identifiers', [])).length, 1);
      t.is(await node.reseal(), 'finished');
      t.is((await node.identifiers.resolve(PHONE.value))?.person?.id, li);
    },
  );

  on.serial(
    `on ${name} a pepper is replaced with each sign-in, and stays while anybody's password stands on it`,
    async (t) => {
      const database = await open(t);
      const { node, wang } = await house(t, database);
      const id = await node.rotate('pepper');
      later(RETIRE_AFTER_SECONDS + 1);
      const early = await node.keyRotation.retire('pepper', 'configured');
      t.deepEqual(early, { ok: false, reason: 'needed', dependents: [{ table: 'passwords', rows: 1 }] });
      t.is(await node.passwords.verify(wang, 'wrong'), 'mismatch');
      t.is(await node.passwords.verify(wang, PASSWORD), 'match');
      const row = await database.get<{ hash: string }>('SELECT hash FROM passwords WHERE person_id = $1', [wang]);
      t.true(row?.hash.startsWith(`$pepper=${id}$argon2id$`));
      t.deepEqual(await node.keyRotation.retire('pepper', 'configured'), { ok: true });
      t.is(await node.passwords.verify(wang, PASSWORD), 'match');
      t.is(await node.passwords.verify(wang, 'wrong'), 'mismatch');
    },
  );

  on.serial(
    `on ${name} what was altered is not sealed anew, and holds its key until somebody has looked`,
    async (t) => {
      const database = await open(t);
      const { node, wang } = await house(t, database);
      const li = await addPerson(node.persons, LI);
      await database.run(
        'UPDATE persons SET name_sealed = (SELECT name_sealed FROM persons WHERE id = $1) WHERE id = $2',
        [wang, li],
      );
      await node.rotate('sealing');
      t.is(await node.reseal(), 'finished');
      t.deepEqual(node.altered, [personContext('name_sealed', li)]);
      later(RETIRE_AFTER_SECONDS + 1);
      t.deepEqual(await node.keyRotation.retire('sealing', 'configured'), {
        ok: false,
        reason: 'needed',
        dependents: [{ table: 'persons', rows: 1 }],
      });
      t.like((await ledgerEntries(database, 'key.resealed'))[0]?.data, { unreadable: 1 });
    },
  );
}

/** The same store, in which `meanwhile` happens whenever rows of a table have been read. */
function interrupted(database: Database, table: string, meanwhile: () => Promise<unknown>): Database {
  return new Proxy(database, {
    get(target, member) {
      if (member === 'all') {
        return async (sql: string, params: readonly SqlValue[]) => {
          const rows = await target.all(sql, params);
          if (sql.includes(`FROM ${table} `)) await meanwhile();
          return rows;
        };
      }
      const value = Reflect.get(target, member, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

test.serial('a row that is written between being read and being sealed anew keeps what was written', async (t) => {
  const database = await sqliteDatabase(t);
  const { node, wang } = await house(t, database);
  const id = await node.rotate('sealing');
  const written = node.sealer.seal('王大明', personContext('name_sealed', wang));
  const write = () => database.run('UPDATE persons SET name_sealed = $1 WHERE id = $2', [written, wang]);
  const walks = sealedWalks(interrupted(database, 'persons', write), node.sealer, node.ring);
  const { counts } = await walks.find((walk) => walk.name === 'persons')!.stretch('', 10);
  t.deepEqual(counts, { resealed: 1, unreadable: 0 }, 'the phone alone');
  t.is(await nameSealedWith(database, wang), id);
  node.persons.forget(wang);
  t.is((await node.persons.profile(wang))?.name, '王大明');
});

const WAITS = `SELECT 1 AS one FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO identity_documents%'`;

postgresTest.serial(
  'two nodes that add one document at once, one of which has not heard of the change, make one account',
  async (t) => {
    const database = await postgresDatabase(t);
    const { config, node } = await house(t, database);
    const lagging = await keyNode(t, database, config);
    await node.keyRotation.stage('index');
    await lagging.ring.refresh();
    lagging.ring.close();
    await node.rotate('index');
    let second: Promise<unknown> | undefined;
    let isOver = false;
    const first = await node.persons.add(LI, async () => {
      second = lagging.persons.add(LI).finally(() => {
        isOver = true;
      });
      await until(async () => isOver || (await database.get(WAITS, [])) !== undefined);
    });
    t.true(first.ok);
    t.deepEqual(await second, { ok: false, reason: 'exists' });
  },
);

test.serial('a store whose keys were sealed with another encryption key is refused at the start', async (t) => {
  const database = await sqliteDatabase(t);
  const { config } = await house(t, database);
  const secrets = { ...config.secrets, encryptionKey: 'x'.repeat(43) };
  await t.throwsAsync(keyNode(t, database, { ...config, secrets }), { message: /secrets\.encryptionKey/ });
});

test.serial('a process that could not look at its keys for minutes seals nothing', async (t) => {
  const database = await sqliteDatabase(t);
  const { node, wang } = await house(t, database);
  node.ring.close();
  const real = performance.now;
  t.teardown(() => {
    performance.now = real;
  });
  performance.now = () => real.call(performance) + 241_000;
  t.throws(() => node.sealer.seal('x', 'y'), { message: /nothing is sealed/ });
  t.throws(() => node.index.of({ type: 'phone', issuer: '', number: '1' }), { message: /nothing is sealed/ });
  t.is((await node.persons.profile(wang))?.name, WANG.name, 'what is there can be read');
});
