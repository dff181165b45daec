import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { type House, openHouse } from '../src/app.ts';
import { RESEALING } from '../src/crypto/resealing.ts';
import { sealedWith } from '../src/crypto/sealing.ts';
import { RING_PURPOSES } from '../src/crypto/secret-ring.ts';
import { runNightlyJob } from '../src/storage/nightly-job.ts';
import { nightlyJobStatus } from '../src/storage/nightly-lease.ts';
import { configFor } from './support/audit.ts';
import { ROOMY } from './support/portal-calls.ts';
import { cleanEnvironment, freshFolder, tongban } from './support/product.ts';
import { LI, redemption, startServer, WANG } from './support/server.ts';
import { until } from './support/waiting.ts';

/** As if the waiting time had passed: no server is turned for it, and what is under way goes on. */
const WAITED = 'UPDATE keys SET created_at = created_at - 100000, retires_at = retires_at - 100000';

test('H2 every kind of key is replaced, and replaced again, while people sign in and go on to portals: nobody notices', async (t) => {
  t.timeout(120_000);
  const server = await startServer(t, ROOMY);
  const { house } = server;
  for (const person of [WANG, LI]) await server.addPerson(person);
  const portal = await server.addPortal();
  const held = server.browser();
  await server.signIn(held, portal);
  let isOver = false;
  const asking = async (identifier: string): Promise<number> => {
    let done = 0;
    while (!isOver) {
      const callback = await server.signIn(server.browser(), portal, { identifier });
      const tokens = await server.token(portal, redemption(callback));
      if (tokens.status !== 200) throw new Error(JSON.stringify(tokens.body));
      done += 1;
    }
    return done;
  };
  const people = [WANG, LI].map(({ idNumber }) => asking(idNumber));
  const again = async (): Promise<void> => {
    const callback = await server.signIn(held, portal, { query: { prompt: 'none' } });
    t.true(callback.searchParams.has('code'), 'the session of before lives on');
  };
  try {
    for (let round = 0; round < 2; round += 1) {
      for (const purpose of RING_PURPOSES) await house.keyRotation.stage(purpose);
      for (const alg of house.keyring.algorithms) {
        await house.database.run(WAITED, []);
        t.true((await house.keyring.rotate(alg)).ok);
      }
      for (const purpose of RING_PURPOSES) {
        await house.database.run(WAITED, []);
        t.true((await house.keyRotation.putInUse(purpose)).ok);
        await again();
      }
      t.is(await runNightlyJob({ database: house.database, job: house.resealing(100_000) }), 'finished');
      await again();
    }
    await house.database.run(WAITED, []);
    for (const purpose of ['sealing', 'index', 'pepper'] as const) {
      // A pepper goes with the last password, when its person has signed in.
      t.true(await until(async () => (await house.keyRotation.retire(purpose, 'configured')).ok), purpose);
    }
    await again();
  } finally {
    isOver = true;
  }
  const done = await Promise.all(people);
  t.true(
    done.every((count) => count > 0),
    String(done),
  );
  t.is((await server.events('sign-in.refused')).length, 0);
  t.is((await server.events('sealed-data.altered')).length, 0);
});

const PEOPLE = 150;
const ROOT = new URL('../', import.meta.url);

test('H2 sealing anew that is killed in the middle goes on where it was, and only then the old key can go', async (t) => {
  t.timeout(120_000);
  const dataDir = await freshFolder(t);
  const env = { TONGBAN_PROFILE: 'test', TONGBAN_DATA_DIR: dataDir };
  const seeded = await tongban(['demo', 'seed', '--people', String(PEOPLE)], env);
  t.is(seeded.code, 0, seeded.stderr);
  const house = await openHouse(configFor({ dataDir }));
  t.teardown(() => house.close());
  const { database } = house;
  for (const purpose of ['sealing', 'index'] as const) {
    await house.keyRotation.stage(purpose);
    await database.run(WAITED, []);
    t.true((await house.keyRotation.putInUse(purpose)).ok);
  }
  await database.run(WAITED, []);
  const underOld = async (): Promise<number> => {
    const rows = await database.all<{ name_sealed: Uint8Array }>('SELECT name_sealed FROM persons', []);
    return rows.filter((row) => sealedWith(row.name_sealed) === 'configured').length;
  };
  const retired = await tongban(['keys', 'retire', 'sealing', 'configured'], env);
  t.is(retired.code, 1);
  t.regex(retired.stderr, new RegExp(`rows depend on it: persons ${PEOPLE}, identity_documents ${PEOPLE}`));

  const child = spawn(process.execPath, ['src/main.js', 'keys', 'reseal', '--per-second', '50'], {
    cwd: ROOT,
    env: { ...cleanEnvironment(), ...env },
    stdio: 'ignore',
  });
  const closed = once(child, 'close');
  t.teardown(() => child.kill('SIGKILL'));
  t.true(await until(async () => ((await nightlyJobStatus(database, RESEALING))?.handled ?? 0) > 0, 30_000));
  child.kill('SIGKILL');
  await closed;
  const left = await underOld();
  t.true(left > 0 && left < PEOPLE, `${left} left`);
  t.is((await house.persons.find((await anybody(house)).id))?.status, 'active');

  const early = await tongban(['keys', 'reseal'], env);
  t.is(early.code, 1, 'for a minute nobody knows whether it still works');
  await database.run('UPDATE nightly_jobs SET lease_until_ms = 0', []);
  const handled = (await nightlyJobStatus(database, RESEALING))!.handled;
  const resumed = await tongban(['keys', 'reseal', '--per-second', '90000'], env);
  t.is(resumed.code, 0, resumed.stderr);
  t.is(await underOld(), 0);
  const status = (await nightlyJobStatus(database, RESEALING))!;
  t.true(status.handled > handled);
  t.is(status.handled, status.total, 'no row was gone past twice');
  for (const purpose of ['sealing', 'index']) {
    const gone = await tongban(['keys', 'retire', purpose, 'configured'], env);
    t.is(gone.code, 0, gone.stderr);
  }
  const { id, number } = await anybody(house);
  await house.secretRing.refresh();
  t.is((await house.persons.findByIdNumber(number))?.id, id);
});

async function anybody(house: House) {
  const row = await house.database.get<{ id: string }>('SELECT id FROM persons LIMIT 1', []);
  const profile = await house.persons.profile(row!.id);
  return { id: row!.id, number: profile!.idNumber! };
}
