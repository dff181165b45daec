import test from 'ava';
import { onePepper } from '../src/crypto/peppers.ts';
import { moveEarlier, moveEarlierBack, shredEarlier } from '../src/factors/earlier-passwords.ts';
import { createPasswordFactor } from '../src/factors/password.ts';
import type { Database } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import type { HttpBrowser, Page } from './support/http-client.ts';
import { testLedger } from './support/ledger.ts';
import {
  addPerson,
  CHEAP_PASSWORDS,
  idNumberOf,
  PEPPER,
  STAFF_PASSWORDS,
  testPasswords,
  testPersons,
} from './support/people.ts';
import { LI, PASSWORD, startServer, WANG } from './support/server.ts';

const LATER = ['nine green boats', 'eight red lanterns', 'seven blue kites', 'six grey geese'] as const;
const ENGINES = [
  ['SQLite', embeddedTest, sqliteDatabase],
  ['PostgreSQL', postgresTest, postgresDatabase],
] as const;

const personIn = (database: Database, { idNumber, name }: { readonly idNumber: string; readonly name: string }) =>
  addPerson(testPersons(database), { idNumber: idNumberOf(idNumber), name, ial: 1, origin: 'test' });

const countOf = async (database: Database, id: string): Promise<number> =>
  (await database.all('SELECT id FROM earlier_passwords WHERE person_id = $1', [id])).length;

for (const [engine, onEngine, open] of ENGINES) {
  onEngine(`S1 of the latest passwords none is chosen again, and no more of them are kept (${engine})`, async (t) => {
    const database = await open(t);
    const id = await personIn(database, WANG);
    const factor = testPasswords(database, { history: 3 });
    t.is(await factor.isReused(id, PASSWORD), 'fresh');
    for (const password of [PASSWORD, ...LATER]) await factor.set(id, password, 'test');
    for (const latest of LATER.slice(1)) t.is(await factor.isReused(id, latest), 'reused', latest);
    for (const older of [PASSWORD, LATER[0], 'never had before'])
      t.is(await factor.isReused(id, older), 'fresh', older);
    t.is(await countOf(database, id), 2, 'beside the present one');
    t.is(await factor.isReused(await personIn(database, LI), LATER[3]), 'fresh', 'of others nothing is known');
    await testPasswords(database, { history: 0 }).set(id, PASSWORD, 'test');
    t.is(await countOf(database, id), 0, 'where none are remembered any more they go');
  });

  onEngine(`the passwords of a merged account count for the one that is kept, and go back (${engine})`, async (t) => {
    const database = await open(t);
    const [kept, merged] = [await personIn(database, WANG), await personIn(database, LI)];
    const factor = testPasswords(database, { history: 5 });
    await factor.set(kept, PASSWORD, 'test');
    for (const password of LATER.slice(0, 2)) await factor.set(merged, password, 'test');
    const moved = await database.write((tx) => moveEarlier(tx, kept, merged));
    for (const password of [PASSWORD, LATER[0], LATER[1]])
      t.is(await factor.isReused(kept, password), 'reused', password);
    t.is(await countOf(database, merged), 0);
    await database.write((tx) => moveEarlierBack(tx, kept, merged, moved));
    t.is(await factor.isReused(kept, LATER[0]), 'fresh');
    t.is(await factor.isReused(merged, LATER[0]), 'reused');
    t.deepEqual([await countOf(database, kept), await countOf(database, merged)], [0, 1]);
    await database.write((tx) => shredEarlier(tx, merged));
    t.is(await countOf(database, merged), 0);
  });
}

test('D5 an earlier password is kept under the pepper, and one whose pepper is retired compares with nothing', async (t) => {
  const database = await sqliteDatabase(t);
  const id = await personIn(database, WANG);
  const factor = testPasswords(database, { history: 5 });
  await factor.set(id, PASSWORD, 'test');
  await factor.set(id, LATER[0], 'test');
  const other = testPasswords(database, { history: 5 }, Buffer.alloc(32, 7));
  t.is(await other.isReused(id, PASSWORD), 'fresh', 'without the pepper nothing can be guessed at');
  await database.run(`UPDATE earlier_passwords SET hash = '$pepper=0123abcd' || hash`, []);
  t.is(await factor.isReused(id, PASSWORD), 'fresh');
  t.is(await factor.isReused(id, LATER[0]), 'reused');
});

test('R3 looking back waits in the queue of hashes, and a crowded moment is said', async (t) => {
  const database = await sqliteDatabase(t);
  const id = await personIn(database, WANG);
  const options = { ...CHEAP_PASSWORDS, history: 5, memoryKib: 65_536, hashesAtOnce: 1, queueMax: 1 };
  const breached = { has: async () => false };
  const factor = createPasswordFactor({
    database,
    ledger: testLedger(database),
    peppers: onePepper(PEPPER),
    options,
    breached,
    staff: STAFF_PASSWORDS,
  });
  await factor.set(id, PASSWORD, 'test');
  await factor.set(id, LATER[0], 'test');
  const crowd = [factor.verify(id, 'wrong', 'known'), factor.verify(id, 'wrong', 'known')];
  t.is(await factor.isReused(id, PASSWORD), 'busy');
  await Promise.all(crowd);
  t.is(factor.load().running, 0);
  t.is(await factor.isReused(id, PASSWORD), 'reused');
});

const change = (browser: HttpBrowser, password: string, fresh: string): Promise<Page> =>
  browser.submit({ password, newPassword: fresh, newPasswordAgain: fresh }, '/account/methods/password');

test('S1 D2 a password of before is refused in the account, and only to whoever knows the present one', async (t) => {
  const server = await startServer(t, { password: { history: 3 } });
  const id = await server.addPerson(WANG);
  const browser = server.browser();
  await server.signIn(browser, await server.addPortal());
  await browser.get('/account/methods/password');
  t.is((await change(browser, PASSWORD, LATER[0])).status, 303);
  await browser.get('/account/methods/password');
  const guess = await change(browser, 'not the password', PASSWORD);
  t.is(guess.status, 401, 'the wrong old password is told, and nothing of those before');
  const reused = await change(browser, LATER[0], PASSWORD);
  t.is(reused.status, 400);
  t.regex(reused.text, /<input id="newPassword"[^>]*aria-invalid="true"/);
  t.true(reused.text.includes('您以前用过这个密码'));
  t.is(await server.house.passwords.verify(id, LATER[0]), 'match');
  t.is((await change(browser, LATER[0], LATER[1])).status, 303);
});

test('S1 without a history what was had before may be chosen again', async (t) => {
  const server = await startServer(t);
  await server.addPerson(WANG);
  const browser = server.browser();
  await server.signIn(browser, await server.addPortal());
  await browser.get('/account/methods/password');
  await change(browser, PASSWORD, LATER[0]);
  await browser.get('/account/methods/password');
  t.is((await change(browser, LATER[0], PASSWORD)).status, 303);
  t.deepEqual(await server.house.database.all('SELECT id FROM earlier_passwords', []), []);
});
