import { Fault } from '../shared/fault.ts';

const SQLITE_ERROR = 1;
const SQLITE_CONSTRAINT_PRIMARYKEY = 1555;
const SQLITE_CONSTRAINT_UNIQUE = 2067;
/** Primary result codes that say "the store cannot": busy, locked, no memory, read-only, I/O, corrupt, full, cannot open, no database. */
const SQLITE_UNAVAILABLE: ReadonlySet<number> = new Set([5, 6, 7, 8, 10, 11, 13, 14, 26]);

const POSTGRES_UNIQUE_VIOLATION = '23505';
const POSTGRES_UNDEFINED_TABLE = '42P01';
const POSTGRES_QUERY_CANCELED = '57014';
const POSTGRES_LOCK_NOT_AVAILABLE = '55P03';
/** Classes of SQLSTATE: connection, insufficient resources, operator intervention, system error; and 25006, a read-only server. */
const POSTGRES_UNAVAILABLE = /^(08|53|57|58|25006|XX)/;
/** A rollback that running the same transaction again may cure: serialization failure and deadlock. */
const POSTGRES_RETRYABLE: ReadonlySet<string> = new Set(['40001', '40P01']);

const sqliteCode = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined;

/** Only an error the server itself sent has a severity; EPIPE would pass for an SQLSTATE otherwise. */
const sqlState = (error: unknown): string | undefined =>
  error instanceof Error && 'severity' in error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;

/** Whether a statement failed because a unique index already holds the row, on either engine. */
export function isUniqueViolation(error: unknown): boolean {
  const code = sqliteCode(error);
  if (code !== undefined) return code === SQLITE_CONSTRAINT_PRIMARYKEY || code === SQLITE_CONSTRAINT_UNIQUE;
  return sqlState(error) === POSTGRES_UNIQUE_VIOLATION;
}

/** Whether another process holds the SQLite write lock at this moment. */
export const isSqliteBusy = (error: unknown): boolean => ((sqliteCode(error) ?? 0) & 0xff) === 5;

/** Thrown in a write on PostgreSQL that went by what another node has changed since: undone, and run again like one that lost a race. */
export class RunAgain extends Error {}

/** Whether PostgreSQL undid the transaction only because of a race with another one. */
export const isRetryable = (error: unknown): boolean =>
  error instanceof RunAgain || POSTGRES_RETRYABLE.has(sqlState(error) ?? '');

/** Whether a statement of PostgreSQL waited longer for a lock than its `lock_timeout` lets it. */
export const isLockTimeout = (error: unknown): boolean => sqlState(error) === POSTGRES_LOCK_NOT_AVAILABLE;

/** Whether the server itself says that a statement failed, on a connection that it goes on serving unless it ends it. */
export const isFromServer = (error: unknown): boolean => sqlState(error) !== undefined;

/** Whether PostgreSQL gave a statement up for the time it took. */
export const isCancelled = (error: unknown): boolean => sqlState(error) === POSTGRES_QUERY_CANCELED;

/** The fault of a store that does not answer, when `error` is one. */
export const unavailableOf = (error: unknown): Fault | undefined =>
  error instanceof Fault && error.code === 'storage_unavailable' ? error : undefined;

/** Whether a statement failed because a table it names is not there, on either engine. */
export function isMissingTable(error: unknown): boolean {
  if (sqliteCode(error) === SQLITE_ERROR) return error instanceof Error && error.message.startsWith('no such table');
  return sqlState(error) === POSTGRES_UNDEFINED_TABLE;
}

/** Turns "the store cannot" of SQLite into its fault; leaves errors of the statement itself as they are. */
export function translateSqliteError(error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === undefined || !SQLITE_UNAVAILABLE.has(code & 0xff)) return error;
  return unavailable(`SQLite refused with result code ${code}`, error);
}

/**
 * Turns connection losses, timeouts and exhaustion of PostgreSQL into their fault. An error of the driver without an SQLSTATE
 * is one of the connection: the server was never asked.
 */
export function translatePostgresError(error: unknown): unknown {
  if (error instanceof Fault || isRetryable(error)) return error;
  const state = sqlState(error);
  if (state === undefined) return unavailable('PostgreSQL cannot be reached', error);
  return POSTGRES_UNAVAILABLE.test(state) ? unavailable(`PostgreSQL refused with SQLSTATE ${state}`, error) : error;
}

/** The fault of a store that does not answer. The text of the cause never leaves the log: it may hold values of rows. */
export const unavailable = (operatorNote: string, cause?: unknown): Fault =>
  new Fault('storage_unavailable', operatorNote, { cause });
