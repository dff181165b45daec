import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { createFactorPolicies } from '../src/factors/factor-policies.ts';
import { findConsent, forgetConsent, saveConsent } from '../src/oidc/grants.ts';
import { turnClock } from '../src/shared/clock.ts';
import type { Fault } from '../src/shared/fault.ts';
import type { Database } from '../src/storage/database.ts';
import { KEPT, planOf } from '../src/storage/guarded-statements.ts';
import { openDatabase } from '../src/storage/open.ts';
import { embeddedTest, postgresSchema, postgresTest, temporaryFolder } from './support/databases.ts';
import { keyConfig, keyNode } from './support/key-house.ts';
import { idNumberOf } from './support/people.ts';
import { WANG } from './support/server.ts';

test.afterEach.always(() => turnClock(0));

const PORTAL = 'rp_portal';
const NOTICE = { text: 'what was shown', language: 'zh-CN', channel: 'web', terms: {} } as const;

/** Several openings of one store, as several processes have. */
const ENGINES = [
  {
    on: embeddedTest,
    name: 'SQLite',
    async place(t: ExecutionContext) {
      return { file: join(temporaryFolder(t), 'tongban.sqlite') };
    },
  },
  {
    on: postgresTest,
    name: 'PostgreSQL',
    async place(t: ExecutionContext) {
      return { url: await postgresSchema(t), poolMax: 3 };
    },
  },
] as const;

/** Two nodes of one house, somebody they know, and what each of the two finds of a consent and of a policy. */
async function houseOfTwo(t: ExecutionContext, place: Parameters<typeof openDatabase>[0]) {
  const config = keyConfig(t);
  const open = async () => {
    const raw = await openDatabase(place);
    t.teardown(() => raw.close());
    return { raw, ...(await keyNode(t, raw, config)) };
  };
  const [here, there] = [await open(), await open()];
  const added = await here.persons.add({
    idNumber: idNumberOf(WANG.idNumber),
    name: WANG.name,
    ial: 2,
    origin: 'test',
  });
  if (!added.ok) throw new Error(added.reason);
  const personId = added.person.id;
  const scopesAt = async (database: Database): Promise<readonly string[] | undefined> =>
    (await findConsent(database, personId, PORTAL))?.scopes;
  return {
    here,
    there,
    personId,
    scopesAt,
    give: async (database: Database, ...scopes: string[]) => {
      const before = await findConsent(database, personId, PORTAL);
      const given = { clientId: PORTAL, scopes, claims: [], before };
      return database.write((tx) => saveConsent(tx, personId, given, NOTICE));
    },
    withdraw: (database: Database) => database.write((tx) => forgetConsent(tx, personId, PORTAL)),
  };
}

for (const { on, name, place } of ENGINES) {
  on(`on ${name} a consent is as it was given last, by whichever node, and gone once it is withdrawn`, async (t) => {
    const { here, there, scopesAt, give, withdraw } = await houseOfTwo(t, await place(t));
    const everywhere = async () => [await scopesAt(here.database), await scopesAt(there.database)];
    t.deepEqual(await everywhere(), [undefined, undefined]);
    await give(here.database, 'openid');
    t.deepEqual(await everywhere(), [['openid'], ['openid']], 'that there was none is forgotten too');
    await give(there.database, 'openid', 'profile');
    t.deepEqual(await everywhere(), [
      ['openid', 'profile'],
      ['openid', 'profile'],
    ]);
    await withdraw(here.database);
    t.deepEqual(await everywhere(), [undefined, undefined]);
    await give(there.database, 'openid');
    t.deepEqual(await everywhere(), [['openid'], ['openid']]);
    await withdraw(there.database);
    t.deepEqual(await everywhere(), [undefined, undefined]);
  });

  on(`on ${name} what a write has undone was never there, and a write sees what it has written itself`, async (t) => {
    const { here, personId, scopesAt, give } = await houseOfTwo(t, await place(t));
    const { database } = here;
    await give(database, 'openid');
    t.deepEqual(await scopesAt(database), ['openid']);
    const before = await findConsent(database, personId, PORTAL);
    const given = { clientId: PORTAL, scopes: ['openid', 'phone'], claims: [], before };
    const undone = database.write(async (tx) => {
      await saveConsent(tx, personId, given, NOTICE);
      t.deepEqual((await findConsent(tx, personId, PORTAL))?.scopes, ['openid', 'phone']);
      throw new Error('on second thoughts');
    });
    await t.throwsAsync(undone, { message: 'on second thoughts' });
    t.deepEqual(await scopesAt(database), ['openid']);
  });

  on(
    `on ${name} H10 a consent that was altered behind the house is not written over as if nothing had been`,
    async (t) => {
      const { here, personId, scopesAt, give } = await houseOfTwo(t, await place(t));
      await give(here.database, 'openid');
      const before = await findConsent(here.database, personId, PORTAL);
      await here.raw.run(`UPDATE consents SET scopes = '["openid","phone"]' WHERE person_id = $1`, [personId]);
      const given = { clientId: PORTAL, scopes: ['openid', 'email'], claims: [], before };
      const writing = here.database.write((tx) => saveConsent(tx, personId, given, NOTICE));
      t.is((await t.throwsAsync<Fault>(writing))?.code, 'row_altered');
      await here.raw.run(`UPDATE consents SET scopes = '["openid"]' WHERE person_id = $1`, [personId]);
      t.deepEqual(await scopesAt(here.database), ['openid']);
    },
  );

  on(`on ${name} of two consents given at once the last one stands, as old as the first`, async (t) => {
    const { here, there, personId, scopesAt, give } = await houseOfTwo(t, await place(t));
    await give(here.database, 'openid');
    const before = await findConsent(here.database, personId, PORTAL);
    await sleep(1_100);
    const giving = [here, there].map(({ database }, place) => {
      const given = { clientId: PORTAL, scopes: ['openid', `scope${place}`], claims: [], before };
      return database.write((tx) => saveConsent(tx, personId, given, NOTICE));
    });
    await Promise.all(giving);
    const after = await findConsent(there.database, personId, PORTAL);
    t.is(after?.grantedAt, before!.grantedAt);
    t.true(['scope0', 'scope1'].includes(after!.scopes[1]!));
    t.deepEqual(await scopesAt(here.database), after!.scopes);
  });

  on(`on ${name} whoever always wants a second factor is asked for it from that moment on`, async (t) => {
    const { here, there, personId } = await houseOfTwo(t, await place(t));
    const [own, other] = [here, there].map(({ database, ledger }) => createFactorPolicies({ database, ledger }));
    const everywhere = async () => [(await own!.of(personId)).alwaysAsk, (await other!.of(personId)).alwaysAsk];
    t.deepEqual(await everywhere(), [false, false]);
    await here.database.write((tx) => own!.set(tx, personId, { alwaysAsk: true }, { origin: 'test' }));
    t.deepEqual(await everywhere(), [true, true]);
    await there.database.write((tx) => other!.set(tx, personId, { alwaysAsk: false }, { origin: 'test' }));
    t.deepEqual(await everywhere(), [false, false]);
    await here.database.write((tx) => own!.set(tx, personId, { alwaysAsk: true }, { origin: 'test' }));
    t.deepEqual(await everywhere(), [true, true]);
    await there.database.run('DELETE FROM factor_policies WHERE person_id = $1', [personId]);
    t.deepEqual(await everywhere(), [false, false]);
  });

  on(
    `H10 on ${name} a consent that somebody else widens in the store is refused, though it was right a moment before`,
    async (t) => {
      const { here, there, personId, scopesAt, give } = await houseOfTwo(t, await place(t));
      await give(here.database, 'openid');
      t.deepEqual(await scopesAt(here.database), ['openid']);
      // The other opening without its seals is the intruder.
      await there.raw.run(`UPDATE consents SET scopes = '["openid","id_number"]' WHERE person_id = $1`, [personId]);
      for (let time = 0; time < 2; time += 1) {
        t.is((await t.throwsAsync<Fault>(scopesAt(here.database)))?.code, 'row_altered');
      }
      t.deepEqual(here.altered, [`consents:${personId}:${PORTAL}`, `consents:${personId}:${PORTAL}`]);
    },
  );
}

test('a row that is kept costs the store nothing until somebody else commits', async (t) => {
  const { here, there, personId, scopesAt, give } = await houseOfTwo(t, await ENGINES[0].place(t));
  await give(here.database, 'openid');
  await scopesAt(here.database);
  // Past everything that watches, and in this very process: nobody can notice.
  await here.raw.run('DELETE FROM consents WHERE person_id = $1', [personId]);
  t.deepEqual(await scopesAt(here.database), ['openid']);
  await there.raw.run('UPDATE change_stamp SET value = value + 1', []);
  await new Promise(setImmediate);
  t.is(await scopesAt(here.database), undefined);
});

test('H10 no statement is answered from memory that asks for more than one row of a table that is watched, by its name', (t) => {
  for (const sql of [
    'SELECT scopes FROM consents WHERE person_id = $1',
    'SELECT scopes FROM consents WHERE client_id = $1 AND person_id = $2',
    'SELECT scopes FROM consents WHERE person_id = $1 AND client_id = $2 AND terms IS NULL',
    'SELECT status FROM persons WHERE id = $1',
    'SELECT c.scopes FROM persons p JOIN consents c ON c.person_id = p.id WHERE person_id = $1 AND client_id = $2',
  ]) {
    t.is(t.throws<Fault>(() => planOf(`${sql} ${KEPT}`, 'sqlite'), undefined, sql)?.code, 'internal', sql);
  }
});
