import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { randomToken } from '../src/shared/random.ts';
import { startChangeWatch } from '../src/storage/change-watch.ts';
import type { Database } from '../src/storage/database.ts';
import { openDatabase } from '../src/storage/open.ts';
import { embeddedTest, postgresSchema, postgresTest, temporaryFolder } from './support/databases.ts';
import { until } from './support/waiting.ts';

/** No look of its own within a test: whatever is noticed was told. */
const NEVER_MS = 600_000;
const CHANGE = "INSERT INTO settings (name, value) VALUES ($1, '')";

const changed = (database: Database): Promise<number> => database.run(CHANGE, [randomToken(12)]);

function watched(t: ExecutionContext, database: Database, lookMs: number) {
  const seen = { count: 0, faults: 0 };
  const watch = startChangeWatch({
    database,
    lookMs,
    onFault: () => {
      seen.faults += 1;
    },
  });
  watch.onChange(() => {
    seen.count += 1;
  });
  t.teardown(() => watch.stop());
  return seen;
}

/** Two processes on one schema, and what breaks every connection of the first. */
async function twoOnPostgres(t: ExecutionContext) {
  const url = await postgresSchema(t);
  const name = `test-${randomToken(12)}`;
  const one = await openDatabase({ url: `${url}&application_name=${name}`, poolMax: 3 });
  const other = await openDatabase({ url, poolMax: 3 });
  t.teardown(async () => {
    await one.close();
    await other.close();
  });
  const breakAll = async (): Promise<number> => {
    const administrator = new pg.Client({ connectionString: url });
    await administrator.connect();
    const { rows } = await administrator.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
      [name],
    );
    await administrator.end();
    return rows.length;
  };
  return { one, other, breakAll };
}

postgresTest('a change by another node is told with its COMMIT, without being looked for', async (t) => {
  const { one, other } = await twoOnPostgres(t);
  const seen = watched(t, one, NEVER_MS);
  t.true(await until(() => seen.count > 0), 'everybody is told once the connection stands');
  const before = seen.count;
  await changed(other);
  t.true(await until(() => seen.count > before));
  const after = seen.count;
  await other.run("UPDATE counters SET value = 0 WHERE name = 'none'", []);
  await t.throwsAsync(
    other.write(async (tx) => {
      await tx.run(CHANGE, [randomToken(12)]);
      throw new Error('undone');
    }),
  );
  await changed(other);
  t.true(await until(() => seen.count > after));
  t.is(seen.count, after + 1, 'neither of other rows nor of what was undone');
});

postgresTest('X2 a listener whose connection was lost connects anew, and reads again what it missed', async (t) => {
  const { one, other, breakAll } = await twoOnPostgres(t);
  const seen = watched(t, one, NEVER_MS);
  t.true(await until(() => seen.count > 0));
  for (let n = 0; n < 2; n += 1) {
    const before = seen.count;
    t.true((await breakAll()) >= 1);
    await changed(other);
    t.true(await until(() => seen.count > before), 'told when it is back');
    const back = seen.count;
    await changed(other);
    t.true(await until(() => seen.count > back), 'and it hears again');
  }
});

postgresTest('with nobody to tell, looking is enough', async (t) => {
  const { one, other } = await twoOnPostgres(t);
  const deaf = { changeStamp: () => one.changeStamp(), listen: () => ({ stop: async () => {} }) };
  const seen = watched(t, { ...one, ...deaf } as Database, 50);
  t.true(await until(() => seen.count > 0));
  const before = seen.count;
  await changed(other);
  t.true(await until(() => seen.count > before));
});

embeddedTest('on one file a change by another process is found by looking', async (t) => {
  const file = `${temporaryFolder(t)}/tongban.db`;
  const [one, other] = [await openDatabase({ file }), await openDatabase({ file })];
  t.teardown(async () => {
    await one.close();
    await other.close();
  });
  const seen = watched(t, one, 50);
  t.true(await until(() => seen.count > 0));
  const before = seen.count;
  await changed(other);
  t.true(await until(() => seen.count > before));
});

test('who could not read what changed is called again, and the others are not', async (t) => {
  let stamp = 1;
  const faults: unknown[] = [];
  const watch = startChangeWatch({
    database: { changeStamp: async () => stamp, listen: () => ({ stop: async () => {} }) },
    lookMs: 10,
    onFault: (error) => faults.push(error),
  });
  t.teardown(() => watch.stop());
  const calls = { well: 0, ill: 0 };
  watch.onChange(() => {
    calls.well += 1;
  });
  watch.onChange(() => {
    calls.ill += 1;
    if (calls.ill === 2) throw new Error('the store is away');
  });
  t.true(await until(() => calls.well === 1 && calls.ill === 1));
  stamp = 2;
  t.true(await until(() => calls.ill === 3));
  t.is(calls.well, 2);
  t.is(faults.length, 1);
});
