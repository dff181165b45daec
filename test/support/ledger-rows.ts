import { canonicalEntry, type LedgerEntry } from '../../src/ledger/entry.ts';
import type { Database } from '../../src/storage/database.ts';

const CHECKPOINT = `INSERT INTO ledger_checkpoints (size, at_ms, note) SELECT max(seq) + 1, 0, 'a note of tests' FROM ledger_entries
  WHERE true ON CONFLICT (size) DO NOTHING`;
const INSERT = `INSERT INTO ledger_entries (seq, entry) VALUES ((SELECT coalesce(max(seq) + 1, 0) FROM ledger_entries), $1)`;

/** An entry with these members; the others as for something that just happened. */
export const entryOf = (members: Partial<LedgerEntry> = {}): LedgerEntry => ({
  v: 1,
  ts: '2026-01-01T00:00:00.000Z',
  node: 'n1',
  type: 'sign-in.succeeded',
  outcome: 'success',
  actor: 'p_1',
  subject: 'p_1',
  client: null,
  ip: null,
  ua: null,
  corr: null,
  data: {},
  ...members,
});

/** Makes everything written so far visible to those who follow the ledger. */
export const signLedger = (database: Database): Promise<number> => database.run(CHECKPOINT, []);

/** Writes entries as they are and signs them. */
export async function writeEntries(database: Database, entries: readonly Partial<LedgerEntry>[]): Promise<void> {
  await database.write(async (tx) => {
    for (const entry of entries) await tx.run(INSERT, [canonicalEntry(entryOf(entry))]);
  });
  await signLedger(database);
}

/** `count` sign-ins, told apart by their correlation `<label>-<n>`. */
export const signIns = (count: number, label = 'e'): readonly Partial<LedgerEntry>[] =>
  Array.from({ length: count }, (_, n) => ({ corr: `${label}-${n}` }));
