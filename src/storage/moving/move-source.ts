import { DatabaseSync } from 'node:sqlite';
import type { Connection } from '../database.ts';
import { pendingMigrations } from '../migrate.ts';
import { SqliteStatements } from '../sqlite-statements.ts';
import { isSqliteBusy, translateSqliteError, unavailable } from '../storage-errors.ts';

/** A SQLite store held for a move: nobody else can open it until it is closed, whether to write or to read. */
export interface MoveSource extends Pick<Connection, 'all'> {
  close(): void;
}

const LOCKED =
  'The file is in use: a server or a command works on it. Stop it and come again; a move takes a store that stands still.';

/**
 * Takes a SQLite file for a move. Every process that has the file open holds a shared lock on it, even one that is idle, and this wants the
 * exclusive one. Nothing is written.
 * Throws `Fault('storage_unavailable')` when somebody has the file open, when it cannot be read, and when its schema is not of this version.
 */
export async function openMoveSource(file: string): Promise<MoveSource> {
  const database = takeFile(file);
  const statements = new SqliteStatements(database);
  const source: MoveSource = {
    all: async <Row>(sql: string, params: Parameters<Connection['all']>[1]) => statements.all(sql, params) as Row[],
    close: () => database.close(),
  };
  try {
    const pending = await pendingMigrations(source);
    if (pending.length === 0) return source;
    const what = pending.map(({ id, name }) => `${id} (${name})`).join(', ');
    throw unavailable(`The file lacks ${what}: run "tongban migrate" for it first.`);
  } catch (error) {
    database.close();
    throw error;
  }
}

function takeFile(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // Not read-only, for such a connection cannot hold the lock; and never one that makes a file.
    database = new DatabaseSync(new URL(`file://${encodeURI(file)}?mode=rw`), { timeout: 0 });
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('BEGIN EXCLUSIVE; SELECT COUNT(*) FROM sqlite_master; COMMIT');
    database.exec('PRAGMA query_only = ON');
    return database;
  } catch (error) {
    database?.close();
    throw isSqliteBusy(error) ? unavailable(LOCKED, error) : translateSqliteError(error);
  }
}
