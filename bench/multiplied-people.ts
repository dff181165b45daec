import type { Database } from '../src/storage/database.ts';
import { connectForLong } from '../src/storage/open.ts';
import { fillTable } from './filled-table.ts';

/*
 * A store with many people out of a store with some: each of those whom the product made is followed by others whom PostgreSQL makes of them.
 * Their rows have the same columns, lengths and times, and stand behind the row they are made of, so that those the product made lie in every
 * part of each table and index. Their ids, digests, sealed values and seals are nobody's: SHA-2 over those of the first one, as evenly spread
 * as keyed digests are. The product finds no number of theirs and would refuse their rows; they are there to be in the way.
 */

/** What a sign-in looks people up in. Who is referred to comes first. */
export const PEOPLE_TABLES = ['persons', 'identity_documents', 'sign_in_identifiers'] as const;

/** A prefix and a time, which ids made in one moment share; random characters follow. */
const ID_BEGINNING = 13;

/** What the n-th of those made of one row has; the 0-th is the row itself. Digests are 43 characters of base64url. */
const functionsIn = (schema: string): readonly string[] => [
  `CREATE FUNCTION ${schema}.other_digest(text, int) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN $2 = 0 THEN $1
      ELSE translate(rtrim(encode(sha256(convert_to($1 || $2, 'UTF8')), 'base64'), '='), '+/', '-_') END $$`,
  `CREATE FUNCTION ${schema}.other_id(text, int) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN $2 = 0 THEN $1
      ELSE left($1, ${ID_BEGINNING}) || left(${schema}.other_digest($1, $2), length($1) - ${ID_BEGINNING}) END $$`,
  `CREATE FUNCTION ${schema}.other_bytes(bytea, int) RETURNS bytea LANGUAGE sql AS $$
    SELECT CASE WHEN $2 = 0 THEN $1
      ELSE substr($1, 1, 1) || substr(sha512($1 || int4send($2)) || $1, 1, length($1) - 1) END $$`,
];

interface Column {
  readonly name: string;
  readonly type: string;
}

const COLUMNS = `SELECT column_name AS name, data_type AS type FROM information_schema.columns
  WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`;

function expressionOf({ name, type }: Column, schema: string): string {
  if (type === 'bytea') return `${schema}.other_bytes(${name}, n)`;
  if (name === 'id' || name.endsWith('_id')) return `${schema}.other_id(${name}, n)`;
  return name.endsWith('_index') ? `${schema}.other_digest(${name}, n)` : name;
}

async function multiplyTable(database: Database, table: string, times: number, schema: string): Promise<void> {
  const columns = await database.all<Column>(COLUMNS, [table]);
  const values = columns.map((column) => expressionOf(column, schema)).join(', ');
  await fillTable(
    database,
    table,
    `INSERT INTO ${table} (${columns.map(({ name }) => name).join(', ')})
      SELECT ${values} FROM ${schema}.${table} CROSS JOIN generate_series(0, ${times - 1}) AS s (n)`,
  );
}

/** Puts `times - 1` others behind each person of the store at `url`. `schema` is one that is not there yet, and is not there afterwards. */
export async function multiplyPeople(url: string, times: number, schema: string): Promise<void> {
  const database = await connectForLong({ url });
  try {
    await database.run(`CREATE SCHEMA ${schema}`, []);
    for (const text of functionsIn(schema)) await database.run(text, []);
    for (const table of PEOPLE_TABLES) {
      await database.run(`CREATE UNLOGGED TABLE ${schema}.${table} AS TABLE ${table}`, []);
    }
    await database.run(`TRUNCATE ${PEOPLE_TABLES.join(', ')} CASCADE`, []);
    const [persons, ...others] = PEOPLE_TABLES;
    await Promise.all([
      multiplyTable(database, persons, times, schema),
      (async () => {
        for (const table of others) await multiplyTable(database, table, times, schema);
      })(),
    ]);
    await database.run(`DROP SCHEMA ${schema} CASCADE`, []);
  } finally {
    await database.close();
  }
}
