import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { Fault } from '../shared/fault.ts';
import type { Tables } from './tables.ts';

/** Runs one compiled query where the caller decides: on the reader, or in a transaction that is already open. */
export type ExecuteQuery = (query: CompiledQuery) => Promise<QueryResult<unknown>>;

/**
 * A typed query builder over `execute`. It owns no connection and opens no transaction: both belong to `Database.write`, so
 * that there is one way to commit.
 */
export function createQueryBuilder(engine: 'sqlite' | 'postgres', execute: ExecuteQuery): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: createDialect(engine, execute) });
}

/** Whether the query only reads. Raw SQL and everything else counts as a write. */
export const isReading = (query: CompiledQuery): boolean => query.query.kind === 'SelectQueryNode';

function createDialect(engine: 'sqlite' | 'postgres', execute: ExecuteQuery): Dialect {
  const connection: DatabaseConnection = {
    executeQuery: <Row>(query: CompiledQuery) => execute(query) as Promise<QueryResult<Row>>,
    streamQuery: () => {
      throw new Fault('internal', 'A query cannot be streamed here; read in pages');
    },
  };
  return {
    createDriver: () => createDriver(connection),
    createQueryCompiler: () => (engine === 'sqlite' ? new SqliteQueryCompiler() : new PostgresQueryCompiler()),
    createAdapter: () => (engine === 'sqlite' ? new SqliteAdapter() : new PostgresAdapter()),
    createIntrospector: (db) => (engine === 'sqlite' ? new SqliteIntrospector(db) : new PostgresIntrospector(db)),
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
