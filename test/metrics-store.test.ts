import test from 'ava';
import { createMetrics } from '../src/monitoring/metrics.ts';
import { readDeliveriesWaiting, readIncidents, readKeys, readLedger } from '../src/monitoring/store-readings.ts';
import { nowMs, nowSeconds, turnClock } from '../src/shared/clock.ts';
import type { Database } from '../src/storage/database.ts';
import { embeddedTest, postgresDatabase, postgresTest, sqliteDatabase } from './support/databases.ts';
import { parseExposition } from './support/exposition.ts';
import { testLedger } from './support/ledger.ts';

test.afterEach.always(() => turnClock(0));

for (const { engine, engineTest, open } of [
  { engine: 'SQLite', engineTest: embeddedTest, open: sqliteDatabase },
  { engine: 'PostgreSQL', engineTest: postgresTest, open: postgresDatabase },
]) {
  engineTest.serial(`${engine}: the state of ledger, keys, incidents and outbox is read from the store`, async (t) => {
    const database: Database = await open(t);
    t.deepEqual(await readLedger(database), { entries: 0, unsigned: 0, unsignedMs: 0, checkpointAgeMs: undefined });
    const ledger = testLedger(database);
    for (let n = 0; n < 3; n += 1) await ledger.record({ type: 'server.stopped' });
    await seed(database);
    turnClock(30_000);
    const metrics = createMetrics({
      ledger: () => readLedger(database),
      keys: () => readKeys(database, 90),
      incidents: () => readIncidents(database),
      deliveriesWaiting: () => readDeliveriesWaiting(database),
    });
    const seen = parseExposition((await metrics.render()).body);
    t.is(seen.value('tongban_ledger_entries'), 3);
    t.is(seen.value('tongban_ledger_unsigned_entries'), 1);
    const near = (value: number | undefined, wanted: number) => Math.abs((value ?? 0) - wanted) < 5;
    t.true(near(seen.value('tongban_ledger_unsigned_seconds'), 30));
    t.true(near(seen.value('tongban_ledger_checkpoint_age_seconds'), 37));
    t.is(seen.value('tongban_key_retires_seconds', { kid: 'k1', alg: 'ES256' }), 1_000 + 90 * 86_400);
    t.is(seen.value('tongban_key_retires_seconds', { kid: 'k3', alg: 'ES256' }), 5_000);
    t.is(seen.value('tongban_key_retires_seconds', { kid: 'k2', alg: 'ES256' }), undefined);
    t.is(seen.value('tongban_incidents_open', { level: 'III' }), 1);
    t.is(seen.value('tongban_incidents_open', { level: 'I' }), 0);
    t.is(seen.value('tongban_deliveries_waiting'), 1);
    await database.close();
    const gone = parseExposition((await metrics.render()).body);
    t.is(gone.value('tongban_ledger_entries'), undefined, 'unknown is not zero');
    t.is(gone.value('tongban_scrape_failures_total', { source: 'ledger' }), 1);
  });
}

/** Two of three entries signed seven seconds ago, three keys, two incidents, two messages. */
async function seed(database: Database): Promise<void> {
  const key = `INSERT INTO keys (kid, purpose, alg, state, public_jwk, private_sealed, created_at, activated_at, retires_at)
    VALUES ($1, 'signing', 'ES256', $2, '{}', $3, 1000, $4, $5)`;
  const sealed = new Uint8Array([1]);
  await database.write(async (tx) => {
    await tx.run('INSERT INTO ledger_checkpoints (size, at_ms, note) VALUES ($1, $2, $3)', [2, nowMs() - 7_000, 'n']);
    await tx.run(key, ['k1', 'current', sealed, 1000, null]);
    await tx.run(key, ['k2', 'next', sealed, null, null]);
    await tx.run(key, ['k3', 'previous', sealed, 900, 5000]);
    for (const [id, status] of [
      ['i1', 'open'],
      ['i2', 'closed'],
    ] as const)
      await tx.run(
        `INSERT INTO incidents (id, rule, level, status, discovered_at, owner, affected_count, title, record, updated_at)
          VALUES ($1, 'brute-force', 'III', $2, 1, NULL, 1, 'x', '{}', 1)`,
        [id, status],
      );
    for (const [id, state] of [
      ['d1', 'waiting'],
      ['d2', 'dead'],
    ] as const)
      await tx.run(
        `INSERT INTO outbox (id, topic, payload, state, attempts, due_at, created_at) VALUES ($1, 't', '{}', $2, 0, $3, $3)`,
        [id, state, nowSeconds()],
      );
  });
}
