import pg from 'pg';
import { startOwnPostgres } from '../bench/own-postgres.ts';
import { openDatabase } from '../src/storage/open.ts';
import { postgresTest } from './support/databases.ts';
import { until } from './support/waiting.ts';

postgresTest('L8 a write that no standby confirms in time is not called done', async (t) => {
  t.timeout(120_000);
  const postgres = await startOwnPostgres();
  t.teardown(() => postgres.remove());
  const database = await openDatabase({ url: postgres.url, statementTimeoutMs: 3_000 });
  t.teardown(() => database.close());
  const owner = new pg.Client({ connectionString: postgres.url });
  await owner.connect();
  t.teardown(() => owner.end());
  const setStandby = async (name: string): Promise<void> => {
    await owner.query(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`);
    await owner.query('SELECT pg_reload_conf()');
    // The server takes it up a moment after it was told.
    while ((await owner.query('SHOW synchronous_standby_names')).rows[0].synchronous_standby_names !== name);
  };
  const put = (name: string): Promise<number> =>
    database.write((tx) => tx.run('INSERT INTO settings (name, value) VALUES ($1, $2)', [name, 'x']));

  t.is(await put('before'), 1);
  await setStandby('elsewhere');
  await t.throwsAsync(put('waited for in vain'), { code: 'storage_unavailable' });
  let isRefused = false;
  const cancelled = t
    .throwsAsync(put('cancelled'), { code: 'storage_unavailable', message: /one disk only/ })
    .finally(() => {
      isRefused = true;
    });
  // What was given up before still waits there as well.
  await until(async () => {
    await owner.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    return isRefused;
  });
  await cancelled;
  await setStandby('');
  t.is(await put('after'), 1);
});
