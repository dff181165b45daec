import { createBlindIndex } from '../../src/crypto/blind-index.ts';
import { createSealer, type Sealer } from '../../src/crypto/sealing.ts';
import { type LedgerEntry, parseEntry } from '../../src/ledger/entry.ts';
import { createLedger, type Ledger } from '../../src/ledger/ledger.ts';
import { createOpenings, type Openings } from '../../src/ledger/openings.ts';
import { createLedgerReader, type LedgerReader } from '../../src/ledger/reader.ts';
import type { Database } from '../../src/storage/database.ts';

const KEY = Buffer.from('a key of tests that seals nothing that anybody lives by');

export interface TestLedger extends Ledger {
  readonly openings: Openings;
  readonly reader: LedgerReader;
}

/** A ledger on any database; what it opens stands under a key of its own, or under those of a house. */
export function testLedger(database: Database, sealer: Sealer = createSealer(KEY)): TestLedger {
  const openings = createOpenings(database, sealer);
  const index = createBlindIndex(KEY);
  return {
    ...createLedger({ database, openings, index, node: 'n1' }),
    openings,
    reader: createLedgerReader({ database, openings, index }),
  };
}

/** Entries numbered and entries that wait for it, in one snapshot: between two statements one may move from the latter to the former. */
const EVERY_ENTRY = {
  sqlite: 'SELECT entry FROM ledger_entries ORDER BY seq',
  postgres: `SELECT entry FROM (
      SELECT 0 AS waits, seq AS place, entry FROM ledger_entries
      UNION ALL SELECT 1, id, entry FROM ledger_inbox
    ) AS written ORDER BY waits, place`,
} as const;

/** Everything written so far, numbered or not, in order; of one type if named. */
export async function ledgerEntries(database: Database, type?: string): Promise<readonly LedgerEntry[]> {
  const rows = await database.all<{ entry: string }>(EVERY_ENTRY[database.engine], []);
  return rows
    .map(({ entry }) => {
      const parsed = parseEntry(entry);
      if (parsed === undefined) throw new Error(`not an entry: ${entry}`);
      return parsed;
    })
    .filter((entry) => type === undefined || entry.type === type);
}
