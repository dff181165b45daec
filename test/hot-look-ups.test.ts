import test from 'ava';
import { hmacKey } from '../src/crypto/digests.ts';
import { createBoundFactors } from '../src/factors/bound-factors.ts';
import { createFactorPolicies } from '../src/factors/factor-policies.ts';
import { createRecoveryCodes } from '../src/factors/recovery-codes.ts';
import { createKnownDevices } from '../src/people/known-devices.ts';
import { createSignInPlaces } from '../src/people/sign-in-places.ts';
import { createTrustedDevices } from '../src/people/trusted-devices.ts';
import { createRelyingParties } from '../src/relying-parties/relying-parties.ts';
import type { Database, SqlValue } from '../src/storage/database.ts';
import { createSqlArtifacts } from '../src/storage/sql-artifacts.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { testLedger } from './support/ledger.ts';
import { idNumberOf, SEALER, testIdentifiers, testPasswords, testPersons } from './support/people.ts';

interface Asked {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

/** The same store, with every look-up written down. */
function overheard(database: Database, asked: Asked[]): Database {
  const listen =
    (name: 'get' | 'all') =>
    (sql: string, params: readonly SqlValue[]): Promise<never> => {
      asked.push({ sql, params });
      return database[name](sql, params) as Promise<never>;
    };
  return new Proxy(database, {
    get(target, name) {
      if (name === 'get' || name === 'all') return listen(name);
      const member = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

/** What every sign-in and every request with a token or a session asks of the store. */
async function hotLookUps(database: Database): Promise<readonly Asked[]> {
  const asked: Asked[] = [];
  const store = overheard(database, asked);
  const persons = testPersons(store);
  const identifiers = testIdentifiers(store, persons);
  const added = await persons.add({
    idNumber: idNumberOf('339900199001011014'),
    name: '王小明',
    ial: 2,
    origin: 'test',
  });
  const id = added.ok ? added.person.id : '';
  await persons.found.copies?.sealSome('', 100);
  asked.length = 0;
  for (const typed of ['339900199001011014', '+8612000000001', 'somebody@example.com', '林中小鹿']) {
    await identifiers.resolve(typed);
  }
  await persons.find(id);
  await persons.profile(id);
  await persons.documents(id);
  await identifiers.list(id);
  const passwords = testPasswords(store);
  await passwords.verify(id, 'not the password');
  await passwords.changedAt(id);
  const artifacts = createSqlArtifacts(store);
  await artifacts.find('AccessToken', 'no such token');
  await createRelyingParties({ database: store, ledger: testLedger(store), allowChosenSecret: true }).inspect('nobody');
  return asked;
}

/** What a sign-in asks about the factors of a person, and about the browser they come with. */
async function factorLookUps(database: Database): Promise<readonly Asked[]> {
  const asked: Asked[] = [];
  const store = overheard(database, asked);
  const ledger = testLedger(store);
  const factors = createBoundFactors({ database: store, sealer: SEALER, ledger });
  await factors.kindsOf('nobody');
  await factors.list('nobody');
  await factors.records('nobody', 'totp');
  await factors.byExternalKey('passkey', 'no such credential');
  await createFactorPolicies({ database: store, ledger }).of('nobody');
  await createRecoveryCodes({ database: store, key: hmacKey(Buffer.alloc(32, 5)) }).holds('nobody', '0000-0000');
  await createKnownDevices({ database: store }).recognises('nobody', 'd'.repeat(32));
  const trusted = createTrustedDevices({ database: store, ledger, lifetimeSeconds: 60 });
  await trusted.find('nobody', 'd'.repeat(32));
  await trusted.list('nobody');
  await createSignInPlaces(store).of('nobody');
  return asked;
}

async function planOf(database: Database, { sql, params }: Asked): Promise<string> {
  if (database.engine === 'sqlite') {
    const rows = await database.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, params);
    return rows.map(({ detail }) => detail).join('\n');
  }
  return database.write(async (tx) => {
    // A table of one row is read as a whole whatever indexes it has; what is asked is whether there is one to use.
    await tx.run('SET LOCAL enable_seqscan = off', []);
    const rows = await tx.all<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`, params);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  });
}

const ENGINES = [
  { run: embeddedTest, name: 'SQLite', open: sqliteDatabase, whole: /^SCAN /m },
  { run: postgresTest, name: 'PostgreSQL', open: postgresDatabase, whole: /Seq Scan/ },
] as const;

for (const { run, name, open, whole } of ENGINES) {
  run(`on ${name} every look-up of a sign-in and of its factors goes through an index`, async (t) => {
    const database = await open(t);
    const asked = [...(await hotLookUps(database)), ...(await factorLookUps(database))];
    t.true(asked.length >= 21, `${asked.length} look-ups heard`);
    for (const one of asked) {
      const plan = await planOf(database, one);
      t.regex(plan, name === 'SQLite' ? /SEARCH / : /Index/, one.sql);
      t.notRegex(plan, whole, `${one.sql}\n${plan}`);
    }
    const scanned = await planOf(database, { sql: 'SELECT id FROM persons WHERE ial = $1', params: [2] });
    t.regex(scanned, whole, 'what has no index is told as such');
  });
}

test('on SQLite who is meant stands in one row of one tree', async (t) => {
  const database = await sqliteDatabase(t);
  const asked = await hotLookUps(database);
  for (const one of asked.slice(0, 4))
    t.regex(await planOf(database, one), /^SEARCH found_people USING PRIMARY KEY \(digest=\?\)$/);
  t.regex(asked[4]!.sql, /FROM persons WHERE id/, 'each was one look-up');
});
