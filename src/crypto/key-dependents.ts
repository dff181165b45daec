import type { Connection, Database, SqlValue } from '../storage/database.ts';
import { ROW_SEAL, sealedTables } from '../storage/guarded-tables.ts';
import { INDEX_COLUMNS } from '../storage/index-columns.ts';
import { SEALED_TABLES } from '../storage/sealed-columns.ts';
import { indexHeader } from './blind-index.ts';
import type { Dependents } from './key-rotation.ts';
import { sealHeader } from './sealing.ts';
import { CONFIGURED, type RingPurpose } from './secret-ring.ts';

/**
 * How many rows need a key of the ring. Each value names its key in its first characters, so this reads every row of the tables concerned:
 * seconds with a million people, and nothing for a server to do between two requests.
 */
export async function dependentsOf(database: Database, purpose: RingPurpose, id: string): Promise<Dependents> {
  if (purpose === 'sealing') return sealedUnder(database, id);
  if (purpose === 'index') return indexedUnder(database, id);
  if (purpose === 'pepper')
    return [{ table: 'passwords', rows: await count(database, 'passwords', pepperedWith(id), []) }];
  if (purpose === 'rows') return rowsUnder(database, id);
  return [];
}

/** Whether the value of a column begins with the header, which is the one parameter. */
const beginsWith = ({ engine }: Database, column: string, header: Uint8Array): string =>
  engine === 'sqlite'
    ? `substr(${column}, 1, ${header.length}) = $1`
    : `substring(${column} from 1 for ${header.length}) = $1`;

const headerOf = (id: string): Uint8Array => sealHeader(id === CONFIGURED ? undefined : id);

async function rowsUnder(database: Database, id: string): Promise<Dependents> {
  const found: { table: string; rows: number }[] = [];
  for (const { table } of sealedTables(database.engine)) {
    const rows = await count(database, table, beginsWith(database, ROW_SEAL, headerOf(id)), [headerOf(id)]);
    found.push({ table, rows });
  }
  return found;
}

async function sealedUnder(database: Database, id: string): Promise<Dependents> {
  const header = headerOf(id);
  const start = (column: string): string => beginsWith(database, column, header);
  const found: { table: string; rows: number }[] = [];
  for (const { table, columns } of SEALED_TABLES) {
    found.push({ table, rows: await count(database, table, columns.map(start).join(' OR '), [header]) });
  }
  return found;
}

async function indexedUnder(database: Database, id: string): Promise<Dependents> {
  const found: { table: string; rows: number }[] = [];
  for (const { table, column, where } of Object.values(INDEX_COLUMNS).flat()) {
    const under =
      id === CONFIGURED
        ? `length(${column}) = ${BARE_CHARACTERS}`
        : `substr(${column}, 1, ${indexHeader(id).length}) = '${indexHeader(id)}'`;
    found.push({ table, rows: await count(database, table, `${under} AND ${where}`, []) });
  }
  return found;
}

/** An index value under the configured key names no key. */
const BARE_CHARACTERS = 43;

/** How the hash of a password begins (password.ts). Ids are hexadecimal digits, or `configured`. */
const pepperedWith = (id: string): string =>
  id === CONFIGURED ? "hash LIKE '$argon2id$%'" : `hash LIKE '$pepper=${id}$%'`;

async function count(connection: Connection, table: string, where: string, params: readonly SqlValue[]) {
  const row = await connection.get<{ total: number }>(`SELECT count(*) AS total FROM ${table} WHERE ${where}`, params);
  return Number(row?.total ?? 0);
}
