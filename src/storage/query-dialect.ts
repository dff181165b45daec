import { createRequire } from 'node:module';
import type * as KyselyLibrary from 'kysely';
import type { CompiledQuery, DatabaseConnection, Dialect, Driver, Kysely, QueryResult } from 'kysely';
import { Fault } from '../shared/fault.ts';
import type { Tables } from './tables.ts';

/** Runs one compiled query where the caller decides: on the reader, or in a transaction that is already open. */
export type ExecuteQuery = (query: CompiledQuery) => Promise<QueryResult<unknown>>;

/**
 * The library is 262 files, a fifth of all that a start would load, and the statements of hot paths and of the start itself are
 * constants: it is loaded when the first query is composed.
 */
const library = (): typeof KyselyLibrary => createRequire(import.meta.url)('kysely') as typeof KyselyLibrary;

/**
 * A typed query builder over `execute`. It owns no connection and opens no transaction: both belong to `Database.write`, so
 * that there is one way to commit.
 */
export function createQueryBuilder(engine: 'sqlite' | 'postgres', execute: ExecuteQuery): Kysely<Tables> {
  const kysely = library();
  return new kysely.Kysely<Tables>({ dialect: createDialect(kysely, engine, execute) });
}

/** Whether the query only reads. Raw SQL and everything else counts as a write. */
export const isReading = (query: CompiledQuery): boolean => query.query.kind === 'SelectQueryNode';

function createDialect(kysely: typeof KyselyLibrary, engine: 'sqlite' | 'postgres', execute: ExecuteQuery): Dialect {
  const connection: DatabaseConnection = {
    executeQuery: <Row>(query: CompiledQuery) => execute(query) as Promise<QueryResult<Row>>,
    streamQuery: () => {
      throw new Fault('internal', 'A query cannot be streamed here; read in pages');
    },
  };
  return {
    createDriver: () => createDriver(connection),
    createQueryCompiler: () =>
      engine === 'sqlite' ? new kysely.SqliteQueryCompiler() : new kysely.PostgresQueryCompiler(),
    createAdapter: () => (engine === 'sqlite' ? new kysely.SqliteAdapter() : new kysely.PostgresAdapter()),
    createIntrospector: (db) =>
      engine === 'sqlite' ? new kysely.SqliteIntrospector(db) : new kysely.PostgresIntrospector(db),
  };
}

function createDriver(connection: DatabaseConnection): Driver {
  const refuse = async (): Promise<void> => {
    throw new Fault('internal', 'A transaction is opened by Database.write, not by the query builder');
  };
  return {
    init: async () => {},
    acquireConnection: async () => connection,
    beginTransaction: refuse,
    commitTransaction: refuse,
    rollbackTransaction: refuse,
    releaseConnection: async () => {},
    destroy: async () => {},
  };
}
