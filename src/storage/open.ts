import type { Database } from './database.ts';
import { type MigrateOptions, migrate, pendingMigrations } from './migrate.ts';
import type { PostgresOptions } from './postgres.ts';
import { openSqlite } from './sqlite.ts';
import { unavailable } from './storage-errors.ts';

/** Where the relational store is: a SQLite file, or a PostgreSQL server. */
export type DatabaseLocation = { readonly file: string } | PostgresOptions;

/**
 * Opens the store and, where `mayMigrate` is not false, brings its schema up to date; the engine follows from the location.
 * Throws `Fault('storage_unavailable')` when it cannot be reached, when its schema is of a newer version, and when it is of an older one
 * and may not be migrated here.
 */
export async function openDatabase(
  location: DatabaseLocation,
  { mayMigrate = true }: { readonly mayMigrate?: boolean } = {},
): Promise<Database> {
  const database = 'file' in location ? await openSqlite(location) : await connect(location);
  try {
    const pending = await pendingMigrations(database);
    if (pending.length === 0) return database;
    if (!mayMigrate) {
      const names = pending.map(({ id, name }) => `${id} (${name})`).join(', ');
      throw unavailable(`The store lacks ${names}: run "tongban migrate", or set database.migrateAtStart.`);
    }
    await ('file' in location ? migrate(database) : migrateStore(location));
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Brings a store to the version of this code, however long a step takes: on PostgreSQL on a connection without time limits. */
export async function migrateStore(
  location: DatabaseLocation,
  onStep?: MigrateOptions['onStep'],
): Promise<readonly string[]> {
  const database = 'file' in location ? await openSqlite(location) : await connectForLong(location);
  try {
    return await migrate(database, onStep === undefined ? {} : { onStep });
  } finally {
    await database.close();
  }
}

/** A connection for works that last: no statement is cut off, and nobody ends a transaction that pauses. */
export const connectForLong = (location: PostgresOptions): Promise<Database> =>
  connect({ ...location, poolMax: 2, statementTimeoutMs: 0, idleInTransactionTimeoutMs: 0 });

/** The driver is loaded only by those who use it: it costs an embedded server part of its start. */
async function connect(options: PostgresOptions): Promise<Database> {
  const { openPostgres } = await import('./postgres.ts');
  return openPostgres(options);
}
