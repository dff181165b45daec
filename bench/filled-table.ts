import type { Database, Transaction } from '../src/storage/database.ts';

/*
 * How a table of PostgreSQL is given millions of rows by one statement: rows first and their indexes afterwards, with no look at what they
 * refer to.
 */

const FAST = ['synchronous_commit = off', "maintenance_work_mem = '256MB'", 'session_replication_role = replica'];
/** Unique and primary keys, but for those that other tables refer to: these cannot be taken away alone. */
const KEYS = `SELECT c.conname AS name, pg_get_constraintdef(c.oid) AS text FROM pg_constraint c
  WHERE c.conrelid = $1::text::regclass AND c.contype IN ('p', 'u')
    AND NOT EXISTS (SELECT 1 FROM pg_constraint f WHERE f.contype = 'f' AND f.conindid = c.conindid)`;
/** Those that carry no constraint. */
const INDEXES = `SELECT indexname AS name, indexdef AS text FROM pg_indexes
  WHERE schemaname = current_schema() AND tablename = $1
    AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = $1::text::regclass)`;

interface Named {
  readonly name: string;
  readonly text: string;
}

/** Runs the `INSERT` that fills `table`, and leaves the table with every index and constraint it had. */
export async function fillTable(database: Database, table: string, insert: string): Promise<void> {
  await database.write(async (tx) => {
    for (const setting of FAST) await tx.run(`SET LOCAL ${setting}`, []);
    const indexes = await tx.all<Named>(INDEXES, [table]);
    const keys = await tx.all<Named>(KEYS, [table]);
    await runAll(tx, [
      ...keys.map(({ name }) => `ALTER TABLE ${table} DROP CONSTRAINT ${name}`),
      ...indexes.map(({ name }) => `DROP INDEX ${name}`),
      insert,
      ...keys.map(({ name, text }) => `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${text}`),
      ...indexes.map(({ text }) => text),
    ]);
  });
}

async function runAll(tx: Transaction, statements: readonly string[]): Promise<void> {
  for (const text of statements) await tx.run(text, []);
}
