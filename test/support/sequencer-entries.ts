import { canonicalEntry } from '../../src/ledger/entry.ts';
import type { Database, SqlValue, Transaction } from '../../src/storage/database.ts';

/** The key of GB/T 32918.5 A.2: known to everybody, for tests alone. */
export const TEST_PRIVATE_KEY = '3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8';
export const TEST_ORIGIN = 'tongban.example/audit';

const INSERT: Readonly<Record<Database['engine'], string>> = {
  sqlite: `INSERT INTO ledger_entries (seq, entry, address_key)
    VALUES ((SELECT coalesce(max(seq) + 1, 0) FROM ledger_entries), $1, $2)`,
  postgres: 'INSERT INTO ledger_inbox (entry, address_key) VALUES ($1, $2)',
};

/** A canonical entry that differs from all others by its `corr`. */
export const entryText = (corr: string, subject: string | null = null): string =>
  canonicalEntry({
    v: 1,
    ts: '2026-01-01T00:00:00.000Z',
    node: 'n1',
    type: 'sign-in.succeeded',
    outcome: 'success',
    actor: subject ?? 'system',
    subject,
    client: null,
    ip: null,
    ua: null,
    corr,
    data: {},
  });

/** Writes one entry as the ledger's writing side does, and signs nothing. */
export async function insertEntry(
  tx: Transaction,
  engine: Database['engine'],
  entry: string,
  addressKey: SqlValue = null,
): Promise<void> {
  await tx.run(INSERT[engine], [entry, addressKey]);
}

/** Writes `count` entries in one transaction, marked `<mark>-<n>`. */
export const insertEntries = (database: Database, count: number, mark: string): Promise<void> =>
  database.write(async (tx) => {
    for (let n = 0; n < count; n += 1) await insertEntry(tx, database.engine, entryText(`${mark}-${n}`));
  });
