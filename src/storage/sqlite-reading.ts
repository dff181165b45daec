import { DatabaseSync } from 'node:sqlite';
import type { Connection } from './database.ts';
import { SqliteStatements } from './sqlite-statements.ts';
import { translateSqliteError } from './storage-errors.ts';

const BUSY_MS = 5_000;

/** Lends a SQLite file to be looked at: nothing in it can be changed, and it is not made where it is missing. */
export async function readSqlite<T>(
  file: string,
  look: (connection: Pick<Connection, 'all'>) => Promise<T>,
): Promise<T> {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS });
  } catch (error) {
    throw translateSqliteError(error);
  }
  try {
    const statements = new SqliteStatements(database);
    return await look({
      all: async <Row>(sql: string, params: readonly never[]) => statements.all(sql, params) as Row[],
    });
  } finally {
    database.close();
  }
}
