import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { holdActive } from '../src/people/active-person.ts';
import type { Database } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { ledgerEntries } from './support/ledger.ts';
import { addPerson, idNumberOf, testPersons } from './support/people.ts';
import { askAlways, asksForSecond, bindApp, enter, giveCode, somebody } from './support/second-factor.ts';
import { authorizationPath, LI, PASSWORD, startServer, type TestServer, WANG } from './support/server.ts';

const ENGINES = [
  ['SQLite', embeddedTest, sqliteDatabase],
  ['PostgreSQL', postgresTest, postgresDatabase],
] as const;

for (const [engine, on, open] of ENGINES) {
  on(`F2 an account switched off and on again is what it was before: frozen stays frozen (${engine})`, async (t) => {
    await switchedOffAndOn(t, await open(t));
  });
}

async function switchedOffAndOn(t: ExecutionContext, database: Database): Promise<void> {
  const persons = testPersons(database);
  const founding = { idNumber: idNumberOf(WANG.idNumber), name: WANG.name, ial: 2, origin: 'test' } as const;
  const id = await addPerson(persons, founding);
  const status = async () => (await persons.find(id))?.status;
  await persons.disable(id, 'test');
  await persons.enable(id, 'test');
  t.is(await status(), 'active');
  await persons.freeze(id, 'watch');
  for (const change of ['disable', 'enable', 'disable', 'enable'] as const)
    t.is(await persons[change](id, 'test'), 'changed');
  t.is(await status(), 'frozen', 'only a proof of identity opens it');
  t.is(await persons.enable(id, 'test'), 'unchanged');
  t.is(await persons.unfreeze(id, 'test', 'seen at counter 4'), 'changed');
  await persons.disable(id, 'test');
  await persons.enable(id, 'test');
  t.is(await status(), 'active', 'what was undone is not remembered');
  const enabled = (await ledgerEntries(database, 'person.enabled')).map(({ data }) => data.status);
  t.deepEqual(enabled, [undefined, 'frozen', 'frozen', undefined, undefined]);
}

for (const [engine, on, open] of ENGINES) {
  on(`F2 whoever may act is held so, or is found shut already (${engine})`, async (t) => {
    const database = await open(t);
    const persons = testPersons(database);
    for (let round = 0; round < 5; round += 1) {
      const idNumber = idNumberOf(WANG.idNumber);
      const id =
        (await persons.findByIdNumber(idNumber))?.id ??
        (await addPerson(persons, { idNumber, name: WANG.name, ial: 2, origin: 'test' }));
      let shutWithin = false;
      const [held] = await Promise.all([
        database.write(async (tx) => {
          const held = await holdActive(tx, database.engine, id);
          for (let look = 0; look < 5; look += 1) {
            const row = await tx.get<{ status: string }>('SELECT status FROM persons WHERE id = $1', [id]);
            shutWithin ||= held && row?.status !== 'active';
          }
          return held;
        }),
        persons.disable(id, 'test'),
      ]);
      t.false(shutWithin, `${held}`);
      await persons.enable(id, 'test');
    }
  });
}

/** A sign-in that has looked at everything and written nothing yet, when something happens to its person: nobody gets a session. */
async function interrupted(
  t: ExecutionContext,
  meanwhile: (house: TestServer['house'], personId: string) => Promise<unknown>,
) {
  const server = await startServer(t);
  const id = await server.addPerson(LI);
  const portal = await server.addPortal();
  // When a password was set is kept in whole seconds.
  await sleep(1_100);
  const { store } = server.house;
  const apply = store.apply.bind(store);
  let isDue = false;
  Object.assign(store, {
    async apply(...work: Parameters<typeof apply>) {
      if (isDue) {
        isDue = false;
        await meanwhile(server.house, id);
      }
      return apply(...work);
    },
  });
  const browser = server.browser();
  await browser.get(authorizationPath(portal));
  await browser.follow();
  isDue = true;
  await browser.submit({ identifier: LI.idNumber, password: PASSWORD }, '/identify');
  t.false(isDue, 'it happened in between');
  t.is(browser.page.status, 400);
  t.is(browser.cookie('tongban'), undefined);
  const live = 'SELECT 1 AS one FROM sessions WHERE account_id = $1 AND ended_at IS NULL';
  t.deepEqual(await server.house.database.all(live, [id]), []);
  t.deepEqual(await server.events('sign-in.succeeded'), []);
  const [refused] = await server.events('sign-in.refused');
  t.like(refused, { subject: id, client: portal.id, outcome: 'failure', data: { reason: 'shut' } });
}

test('F2 a sign-in that was under way when the account was shut gives nobody a session', (t) =>
  interrupted(t, ({ persons }, id) => persons.disable(id, 'test')));

test('C11 a sign-in by a password that was changed while it was looked at gives nobody a session', (t) =>
  interrupted(t, ({ passwords }, id) => passwords.set(id, 'nine green boats on the river', 'test')));

test('C11 a password that was changed while the second factor was asked for opens nothing', async (t) => {
  const server = await startServer(t);
  const person = await somebody(server);
  const app = await bindApp(server, person.id);
  await askAlways(server, person.id);
  await sleep(1_100);
  const browser = server.browser();
  const asked = await enter(server, browser, await server.addPortal(), person.idNumber);
  t.true(asksForSecond(asked));
  await server.house.passwords.set(person.id, 'nine green boats on the river', 'test');
  const told = await giveCode(server, browser, app.code());
  t.is(told.status, 400);
  t.is(browser.cookie('tongban'), undefined);
  t.deepEqual(await server.events('sign-in.succeeded'), []);
});
