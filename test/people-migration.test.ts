import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createBlindIndex } from '../src/crypto/blind-index.ts';
import type { Database } from '../src/storage/database.ts';
import { migrate } from '../src/storage/migrate.ts';
import { foundation } from '../src/storage/migrations/0001-foundation.ts';
import { evidence } from '../src/storage/migrations/0002-evidence.ts';
import { openPostgres } from '../src/storage/postgres.ts';
import { openSqlite } from '../src/storage/sqlite.ts';
import { postgresSchema, postgresTest } from './support/databases.ts';
import { temporaryFolder } from './support/folders.ts';
import { idNumberOf, SEALER, testPersons } from './support/people.ts';

const INDEX = createBlindIndex(Buffer.alloc(32, 2));
const NUMBER = idNumberOf('339900199001011014');
const OLD_PERSON = `INSERT INTO persons (id, status, ial, name_sealed, phone_sealed, created_at, updated_at)
  VALUES ($1, 'frozen', 3, $2, $3, 100, 200)`;
const OLD_DOCUMENT = `INSERT INTO identity_documents
  (id, person_id, type, issuer, number_index, number_sealed, verified_source, created_at)
  VALUES ('doc_old', $1, 'resident_id_card', 'CN', $2, $3, $4, 100)`;

/** Somebody who was here before the migration keeps everything, and what hangs on them hangs on them still. */
async function keepsWhatWasThere(t: ExecutionContext, database: Database): Promise<void> {
  await migrate(database, { migrations: [foundation, evidence] });
  const id = 'psn_old';
  await database.run(OLD_PERSON, [
    id,
    SEALER.seal('王小明', `persons:name_sealed:${id}`),
    SEALER.seal('+8613800000000', `persons:phone_sealed:${id}`),
  ]);
  const number = SEALER.seal(NUMBER, 'identity_documents:number_sealed:doc_old');
  const index = INDEX.of({ type: 'resident_id_card', issuer: 'CN', number: NUMBER });
  await database.run(OLD_DOCUMENT, [id, index, number, 'sample']);
  await database.run("INSERT INTO passwords (person_id, hash, changed_at) VALUES ($1, 'h', 1)", [id]);
  await database.run(
    "INSERT INTO known_devices (device_digest, person_id, created_at, seen_at) VALUES ('d', $1, 1, 2)",
    [id],
  );

  t.true((await migrate(database)).includes('people'));

  const persons = testPersons(database);
  t.deepEqual(await persons.findByIdNumber(NUMBER), { id, status: 'frozen', ial: 3 });
  t.is((await persons.find(id))?.updatedAt, 200);
  t.like(await persons.profile(id), {
    name: '王小明',
    phone: '+8613800000000',
    phoneVerified: false,
    idNumber: NUMBER,
  });
  t.deepEqual(await persons.documents(id), [
    {
      id: 'doc_old',
      document: { type: 'resident_id_card', issuer: 'CN', number: NUMBER },
      proof: { level: 3, source: 'sample', at: 100 },
      validFrom: undefined,
      validTo: undefined,
      primary: true,
      addedAt: 100,
    },
  ]);
  for (const table of ['passwords', 'known_devices'])
    t.is((await database.all(`SELECT 1 FROM ${table} WHERE person_id = $1`, [id])).length, 1, table);
  await t.throwsAsync(
    database.run("INSERT INTO passwords (person_id, hash, changed_at) VALUES ('psn_none', 'h', 1)", []),
    undefined,
    'a password still needs its person',
  );
  await t.throwsAsync(
    database.run('DELETE FROM persons WHERE id = $1', [id]),
    undefined,
    'and the person stays for it',
  );
  await database.run("UPDATE persons SET status = 'closing' WHERE id = $1", [id]);
  await t.throwsAsync(database.run("UPDATE persons SET status = 'asleep' WHERE id = $1", [id]));
}

test('people who were here before keep their documents, passwords and devices through the migration', async (t) => {
  const database = await openSqlite({ file: join(temporaryFolder(t), 'tongban.sqlite') });
  t.teardown(() => database.close());
  await keepsWhatWasThere(t, database);
  t.deepEqual(await database.all('PRAGMA foreign_key_check', []), []);
});

postgresTest('people who were here before keep everything through the migration (postgres)', async (t) => {
  const database = await openPostgres({ url: await postgresSchema(t), poolMax: 3 });
  t.teardown(() => database.close());
  await keepsWhatWasThere(t, database);
});
