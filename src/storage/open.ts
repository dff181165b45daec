import type { Database } from './database.ts';
import { migrate } from './migrations.ts';
import type { PostgresOptions } from './postgres.ts';
import { openSqlite } from './sqlite.ts';

/** Where the relational store is: a SQLite file, or a PostgreSQL server. */
export type DatabaseLocation = { readonly file: string } | PostgresOptions;

/**
 * Opens the store and brings its schema up to date; the engine follows from the location.
 * Throws `Fault('storage_unavailable')` when it cannot be reached or its schema is of a newer version.
 */
export async function openDatabase(location: DatabaseLocation): Promise<Database> {
  const database = 'file' in location ? await openSqlite(location) : await connect(location);
  try {
    await migrate(database);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** The driver is loaded only by those who use it: it costs an embedded server part of its start. */
async function connect(options: PostgresOptions): Promise<Database> {
  const { openPostgres } = await import('./postgres.ts');
  return openPostgres(options);
}
