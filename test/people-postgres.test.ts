import { createKeyring } from '../src/crypto/keyring.ts';
import { SIGNING_ALGORITHMS } from '../src/crypto/signing-key.ts';
import { createKnownDevices } from '../src/people/known-devices.ts';
import type { Database } from '../src/storage/database.ts';
import { postgresDatabase, postgresTest } from './support/databases.ts';
import { fixedMaster } from './support/key-house.ts';
import { testLedger } from './support/ledger.ts';
import { idNumberOf, SEALER, testPasswords, testPersons } from './support/people.ts';

const count = async (database: Database, table: string): Promise<number> =>
  (await database.all(`SELECT 1 FROM ${table}`, [])).length;

const partsOn = (database: Database) => ({
  persons: testPersons(database),
  devices: createKnownDevices({ database }),
  passwords: testPasswords(database),
  keyring: () =>
    createKeyring({
      database,
      algorithms: SIGNING_ALGORITHMS,
      sealer: fixedMaster(SEALER),
      ledger: testLedger(database),
      longestTokenLifeSeconds: 3600,
      publishedBeforeUseSeconds: 0,
    }),
});

postgresTest('X2 on PostgreSQL a hundred registrations at once make one account, which then works', async (t) => {
  const database = await postgresDatabase(t);
  const { persons, passwords, devices } = partsOn(database);
  const idNumber = idNumberOf('339900199001011014');
  const person = { idNumber, name: '王小明', ial: 2, origin: 'test' } as const;
  const outcomes = await Promise.all(Array.from({ length: 100 }, () => persons.add(person)));
  t.is(outcomes.filter(({ ok }) => ok).length, 1);
  t.deepEqual(
    await Promise.all(['persons', 'identity_documents', 'ledger_inbox'].map((table) => count(database, table))),
    [1, 1, 1],
  );

  const id = (await persons.findByIdNumber(idNumber))!.id;
  t.like(await persons.profile(id), { id, name: '王小明', ial: 2, birthDate: '1990-01-01' });
  t.is(await persons.disable(id, 'test'), 'changed');
  t.is(await persons.disable(id, 'test'), 'unchanged');
  t.is((await persons.find(id))?.status, 'disabled');
  await passwords.set(id, 'correct horse battery', 'test');
  t.is(await passwords.verify(id, 'correct horse battery'), 'match');
  const { secret, write } = await devices.remember(id);
  await database.write(write);
  const again = await devices.remember(id, secret);
  await database.write(again.write);
  t.is(again.secret, secret);
  t.is((await devices.recognises(id, secret))?.length, 43);
});

postgresTest('B6 on PostgreSQL nodes that start or rotate at once end with one keyring', async (t) => {
  const database = await postgresDatabase(t);
  const { keyring } = partsOn(database);
  await keyring().ensure();
  for (let round = 0; round < 6; round += 1) {
    await database.run("DELETE FROM keys WHERE alg = 'ES256'", []);
    await Promise.all(Array.from({ length: 5 }, () => keyring().ensure()));
    t.is(await count(database, 'keys'), 6, 'three algorithms, for each the current and the next');
  }
  await Promise.all(Array.from({ length: 3 }, () => keyring().rotate('ES256')));
  const states = await database.all<{ state: string }>("SELECT state FROM keys WHERE alg = 'ES256' ORDER BY state", []);
  t.deepEqual(
    states.map(({ state }) => state),
    ['current', 'next', 'previous', 'previous', 'previous'],
  );
  t.deepEqual(await keyring().prune(), []);
});
