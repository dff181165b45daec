import { randomInt } from 'node:crypto';
import test from 'ava';
import { prepareConfig } from '../src/config/prepare.ts';
import { Fault } from '../src/shared/fault.ts';
import { openDatabase } from '../src/storage/open.ts';
import { openPostgres, type PostgresOptions } from '../src/storage/postgres.ts';
import { retryPauseMs } from '../src/storage/retry-pause.ts';
import { storeOf } from '../src/store-doors.ts';
import { postgresDatabase, postgresSchema, postgresTest, temporaryFolder } from './support/databases.ts';
import { until } from './support/waiting.ts';

/** The least that twenty writes leave when one always sees what the other has written. */
const SERIAL_MIN = 8118;

/** A statement PostgreSQL answers as it answers a lost race. */
const LOSE = `DO 'BEGIN RAISE EXCEPTION ''lost'' USING ERRCODE = ''40001''; END'`;

postgresTest('X3 the time limits of the configuration are what PostgreSQL holds a connection to', async (t) => {
  const prepared = prepareConfig({
    env: {
      TONGBAN_PROFILE: 'test',
      TONGBAN_DATABASE_URL: await postgresSchema(t),
      TONGBAN_DATABASE_STATEMENT_TIMEOUT_MS: '4321',
      TONGBAN_DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS: '8765',
    },
    overrides: { dataDir: temporaryFolder(t) },
  });
  if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
  const database = await openDatabase(storeOf(prepared.config));
  t.teardown(() => database.close());
  const shown = async (name: string): Promise<unknown> =>
    Object.values((await database.get<object>(`SHOW ${name}`, []))!)[0];
  t.is(await shown('statement_timeout'), '4321ms');
  t.is(await shown('idle_in_transaction_session_timeout'), '8765ms');
});

test('X3 limits of the store that are none, or far too long, are refused by the configuration', (t) => {
  for (const [name, value] of [
    ['IDLE_TIMEOUT_MS', '0'],
    ['IDLE_IN_TRANSACTION_TIMEOUT_MS', '0'],
    ['IDLE_IN_TRANSACTION_TIMEOUT_MS', '3600000'],
    ['RETRIES_MAX', '1000'],
    ['POOL_MAX', '0'],
  ] as const) {
    const env = { TONGBAN_PROFILE: 'test', [`TONGBAN_DATABASE_${name}`]: value };
    const prepared = prepareConfig({ env, overrides: { dataDir: temporaryFolder(t) } });
    t.false(prepared.ok, `${name}=${value}`);
  }
});

postgresTest('X3 a transaction that forgets to go on is undone by the server, and its locks are free', async (t) => {
  const url = await postgresSchema(t);
  const database = await openDatabase({ url, idleInTransactionTimeoutMs: 300 });
  t.teardown(() => database.close());
  await database.run("INSERT INTO settings (name, value) VALUES ('a', 'before')", []);
  const forgetful = database.write(async (tx) => {
    await tx.run("UPDATE settings SET value = 'forgotten' WHERE name = 'a'", []);
    await database.run("UPDATE settings SET value = 'after' WHERE name = 'a'", []);
    await tx.run("UPDATE settings SET value = 'too late' WHERE name = 'a'", []);
  });
  const error = await t.throwsAsync(forgetful, { instanceOf: Fault });
  t.is((error as Fault).code, 'storage_unavailable');
  t.deepEqual(await database.all('SELECT value FROM settings', []), [{ value: 'after' }]);
});

postgresTest('connections nobody needs are closed, and opened again when somebody does', async (t) => {
  const database = await openPostgres({ url: await postgresSchema(t), poolMax: 4, idleTimeoutMs: 50 });
  t.teardown(() => database.close());
  const door = await openPostgres({ url: await postgresSchema(t) });
  t.teardown(() => door.close());
  const key = randomInt(2 ** 31);
  const waiting = await door.write(async (tx) => {
    await tx.get('SELECT pg_advisory_xact_lock($1)', [key]);
    // Look-ups of one moment share a connection; what may change rows has one of its own.
    const shut = Array.from({ length: 4 }, () => database.run('SELECT pg_advisory_xact_lock_shared($1)', [key]));
    t.true(await until(() => database.load().connections!.busy === 4));
    return shut;
  });
  await Promise.all(waiting);
  t.true(await until(() => database.load().connections!.idle === 0));
  t.truthy(await database.get('SELECT 1 AS up', []));
});

for (const retriesMax of [0, 1, 4]) {
  postgresTest(
    `X2 a write that loses every race is run ${1 + retriesMax} times and then answered with 503`,
    async (t) => {
      const options: PostgresOptions = { url: await postgresSchema(t), retriesMax };
      const database = await openPostgres(options);
      t.teardown(() => database.close());
      let runs = 0;
      const losing = database.write(async (tx) => {
        runs += 1;
        await tx.run(LOSE, []);
      });
      const error = await t.throwsAsync(losing, { instanceOf: Fault });
      t.is((error as Fault).code, 'storage_unavailable');
      t.is(runs, 1 + retriesMax);
    },
  );
}

postgresTest('X2 two that read and write the same rows under serializable isolation both come through', async (t) => {
  const database = await postgresDatabase(t);
  await database.run("INSERT INTO counters (name, value, expires_at) VALUES ('a', 0, 0), ('b', 0, 0)", []);
  const raise = (name: string): Promise<number> =>
    database.write(async (tx) => {
      await tx.run('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', []);
      const sum = await tx.get<{ sum: number }>('SELECT CAST(sum(value) AS BIGINT) AS sum FROM counters', []);
      return tx.run('UPDATE counters SET value = $2 WHERE name = $1', [name, sum!.sum + 1]);
    });
  for (let round = 0; round < 10; round += 1) await Promise.all([raise('a'), raise('b')]);
  const rows = await database.all<{ value: number }>('SELECT value FROM counters ORDER BY value DESC', []);
  // Two that saw the same sum in every round would end at 1,023.
  t.true(rows[0]!.value >= SERIAL_MIN, JSON.stringify(rows));
});

test('the pause before a lost race is run again grows, is never the same twice, and has an end', (t) => {
  for (const [retry, most] of [
    [1, 5],
    [2, 10],
    [4, 40],
    [20, 250],
    [2_000_000, 250],
  ] as const) {
    const pauses = Array.from({ length: 200 }, () => retryPauseMs(retry));
    t.true(pauses.every((pause) => pause >= 0 && pause <= most));
    t.true(new Set(pauses).size > 190);
    t.true(Math.max(...pauses) > most / 2);
  }
});
