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
    // Each process of the server takes it up a moment after it was told, in its own time.
    while ((await owner.query('SHOW synchronous_standby_names')).rows[0].synchronous_standby_names !== name);
    while (name !== '' && !(await isWaitedFor()));
  };
  const cancelWaits = async (): Promise<number> =>
    (await owner.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")).rows.length;
  /** Whether a commit of now waits for the standby. */
  const isWaitedFor = async (): Promise<boolean> => {
    const probe = new pg.Client({ connectionString: postgres.url });
    await probe.connect();
    let isCommitted = false;
    const committing = probe.query("SELECT pg_logical_emit_message(true, 'probe', '')").finally(() => {
      isCommitted = true;
    });
    let waits = 0;
    while (!isCommitted) waits += await cancelWaits();
    await committing;
    await probe.end();
    return waits > 0;
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
    await cancelWaits();
    return isRefused;
  });
  await cancelled;
  await setStandby('');
  t.is(await put('after'), 1);
});
