import { join } from 'node:path';
import type { Config } from './config/schema.ts';
import type { DatabaseLocation } from './storage/open.ts';

/** The one SQLite file of a data folder. */
export const STORE_FILE = 'tongban.db';

/** Where the configured relational store is. */
export function storeOf({ dataDir, database }: Pick<Config, 'dataDir' | 'database'>): DatabaseLocation {
  const { migrateAtStart: _, ...postgres } = database;
  return database.url === '' ? { file: join(dataDir, STORE_FILE) } : postgres;
}
