import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from './database.ts';
import type { Migration } from './migration.ts';
import { foundation } from './migrations/0001-foundation.ts';
import { evidence } from './migrations/0002-evidence.ts';
import { people } from './migrations/0003-people.ts';
import { enrolment } from './migrations/0004-enrolment.ts';
import { legalPersons } from './migrations/0005-legal-persons.ts';
import { grantSubjects } from './migrations/0006-grant-subjects.ts';
import { lifecycle } from './migrations/0007-lifecycle.ts';
import { proofing } from './migrations/0008-proofing.ts';
import { foundAtOnce } from './migrations/0010-found-at-once.ts';
import { factors } from './migrations/0011-factors.ts';
import { signedProofs } from './migrations/0012-signed-proofs.ts';
import { trustedDevices } from './migrations/0013-trusted-devices.ts';
import { defence } from './migrations/0014-defence.ts';
import { deliveryOrder } from './migrations/0015-delivery-order.ts';
import { staff } from './migrations/0016-staff.ts';
import { unavailable } from './storage-errors.ts';

/** In the order of their ids. */
const MIGRATIONS: readonly Migration[] = [
  foundation,
  evidence,
  people,
  enrolment,
  legalPersons,
  grantSubjects,
  lifecycle,
  proofing,
  foundAtOnce,
  factors,
  signedProofs,
  trustedDevices,
  defence,
  deliveryOrder,
  staff,
];

/** Any constant: it only has to differ from the advisory locks of other programs on the same database. Each schema has its own. */
const ADVISORY_LOCK = 7_301_551;

const CREATE_JOURNAL = `CREATE TABLE IF NOT EXISTS migrations
  (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL, applied_at BIGINT NOT NULL)`;

/**
 * Brings the schema to the version of this code, forward only, in one transaction under a lock: of several processes that
 * start at once one migrates and the others find it done. Returns the names of the steps it ran.
 * Throws `Fault('storage_unavailable')` when the schema was made by newer code: older code must not write into it.
 */
export function migrate(database: Database, migrations: readonly Migration[] = MIGRATIONS): Promise<readonly string[]> {
  return database.write(async (tx) => {
    if (database.engine === 'postgres') {
      // Before the lock: who waits for a long migration of another process must not be cut off for it.
      await tx.run('SET LOCAL statement_timeout = 0', []);
      await tx.get('SELECT pg_advisory_xact_lock($1::int, hashtext(current_schema()))', [ADVISORY_LOCK]);
    }
    await tx.run(CREATE_JOURNAL, []);
    const rows = await tx.all<{ id: number; name: string }>('SELECT id, name FROM migrations ORDER BY id', []);
    refuseForeignSchema(rows, migrations);
    const pending = migrations.filter((migration) => !rows.some((row) => row.id === migration.id));
    for (const migration of pending) await apply(tx, migration, database.engine);
    return pending.map((migration) => migration.name);
  });
}

function refuseForeignSchema(rows: readonly { id: number; name: string }[], migrations: readonly Migration[]): void {
  for (const row of rows) {
    const known = migrations.find((migration) => migration.id === row.id);
    if (known === undefined) {
      throw unavailable(
        `The database has migration ${row.id} (${row.name}), which this version does not know. Start the newer version, or restore a backup made before the upgrade.`,
      );
    }
    if (known.name !== row.name) {
      throw unavailable(`Migration ${row.id} of the database is "${row.name}", of this version "${known.name}".`);
    }
  }
}

async function apply(tx: Transaction, migration: Migration, engine: Database['engine']): Promise<void> {
  for (const statement of migration.statements(engine)) await tx.run(statement, []);
  await tx.run('INSERT INTO migrations (id, name, applied_at) VALUES ($1, $2, $3)', [
    migration.id,
    migration.name,
    nowSeconds(),
  ]);
}
