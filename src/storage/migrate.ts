import { monotonicMs, nowSeconds } from '../shared/clock.ts';
import type { Connection, Database, Transaction } from './database.ts';
import type { Migration } from './migration.ts';
import { MIGRATIONS } from './migrations.ts';
import { MOVE_UNDER_WAY } from './move-mark.ts';
import { retryPauseMs } from './retry-pause.ts';
import { isLockTimeout, isMissingTable, unavailable } from './storage-errors.ts';

/** Any constant: it only has to differ from the advisory locks of other programs on the same database. Each schema has its own. */
const ADVISORY_LOCK = 7_301_551;

/**
 * A statement that changes a table waits for those who use it, and everybody who comes after waits behind it. So it gives way after two
 * seconds and comes again, for some minutes: a long report then delays the migration and not the sign-ins.
 */
const LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'";
const LOCK_RETRIES_MAX = 60;
const LOCK_PAUSE_MS_MAX = 4_000;

const CREATE_JOURNAL = `CREATE TABLE IF NOT EXISTS migrations
  (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL, applied_at BIGINT NOT NULL)`;
const JOURNAL = 'SELECT id, name FROM migrations ORDER BY id';
const WRITE_DOWN = 'INSERT INTO migrations (id, name, applied_at) VALUES ($1, $2, $3)';

const HALF_MOVED =
  'This store is being filled by "tongban move", or a move broke off: run it again with the same words, it goes on where it was.';

interface JournalRow {
  readonly id: number;
  readonly name: string;
}

/** A step that has been run, and how long it took. */
export interface MigratedStep {
  readonly id: number;
  readonly name: string;
  readonly tookMs: number;
}

export interface MigrateOptions {
  readonly migrations?: readonly Migration[];
  /** Told of each step once it is durable, with how many still follow. */
  readonly onStep?: (step: MigratedStep, leftCount: number) => void;
}

/**
 * The steps a store still needs; all of them where there is no schema yet. Changes nothing.
 * Throws `Fault('storage_unavailable')` when the schema was made by newer code: older code must not write into it.
 */
export async function pendingMigrations(
  connection: Pick<Connection, 'all'>,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<readonly Migration[]> {
  const rows = await connection.all<JournalRow>(JOURNAL, []).catch((error: unknown) => {
    if (isMissingTable(error)) return [];
    throw error;
  });
  return pendingOf(rows, migrations);
}

/**
 * Brings the schema to the version of this code, forward only, under a lock: of several processes that start at once one migrates
 * and the others find it done. An empty store is made in one transaction; in one that is in use each step is a transaction of its own, so that
 * locks are held no longer than its statements take. Returns the names of the steps this process ran.
 * Throws as `pendingMigrations` does, and what a statement of a step throws; that step leaves nothing behind.
 */
export async function migrate(
  database: Database,
  { migrations = MIGRATIONS, onStep }: MigrateOptions = {},
): Promise<readonly string[]> {
  const done: string[] = [];
  for (;;) {
    const { steps, leftCount } = await givingWay(() =>
      database.write((tx) => runSome(tx, database.engine, migrations)),
    );
    for (const [at, step] of steps.entries()) {
      onStep?.(step, leftCount + steps.length - 1 - at);
      done.push(step.name);
    }
    if (leftCount === 0) return done;
  }
}

interface Run {
  readonly steps: readonly MigratedStep[];
  readonly leftCount: number;
}

/** On SQLite the transaction itself is the lock: the file has one writer, whichever process it is in. */
async function runSome(tx: Transaction, engine: Database['engine'], migrations: readonly Migration[]): Promise<Run> {
  if (engine === 'postgres')
    await tx.get('SELECT pg_advisory_xact_lock($1::int, hashtext(current_schema()))', [ADVISORY_LOCK]);
  await tx.run(CREATE_JOURNAL, []);
  const rows = await tx.all<JournalRow>(JOURNAL, []);
  const pending = pendingOf(rows, migrations);
  const isNew = rows.length === 0;
  if (engine === 'postgres' && !isNew) await tx.run(LOCK_TIMEOUT, []);
  const steps: MigratedStep[] = [];
  for (const migration of isNew ? pending : pending.slice(0, 1)) {
    const startedMs = monotonicMs();
    for (const statement of migration.statements(engine)) await tx.run(statement, []);
    await tx.run(WRITE_DOWN, [migration.id, migration.name, nowSeconds()]);
    steps.push({ id: migration.id, name: migration.name, tookMs: Math.round(monotonicMs() - startedMs) });
  }
  return { steps, leftCount: pending.length - steps.length };
}

async function givingWay<T>(step: () => Promise<T>): Promise<T> {
  for (let retry = 1; ; retry += 1) {
    try {
      return await step();
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      if (retry > LOCK_RETRIES_MAX)
        throw unavailable('A table is held by others without a pause; the step was undone.', error);
    }
    await new Promise((resolve) => setTimeout(resolve, retryPauseMs(retry, LOCK_PAUSE_MS_MAX)));
  }
}

function pendingOf(rows: readonly JournalRow[], migrations: readonly Migration[]): readonly Migration[] {
  for (const row of rows) {
    if (row.id === MOVE_UNDER_WAY.id) throw unavailable(HALF_MOVED);
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
  return migrations.filter((migration) => !rows.some((row) => row.id === migration.id));
}
