import type { Transaction } from '../storage/database.ts';
import type { LedgerKey } from './checkpoints/ledger-key.ts';
import type { Ledger } from './ledger.ts';

const MARK = `INSERT INTO settings (name, value) VALUES ('ledger-opened', $1) ON CONFLICT (name) DO NOTHING`;

/**
 * Has the ledger say once in its life under which name and key it began (`audit.opened`). A mark of its own decides, written
 * with the entry: keys and clients are entered before, and how far the sequencer has come by then is chance.
 */
export async function tellOpening(
  tx: Transaction,
  ledger: Ledger,
  { origin, verifierKey }: Pick<LedgerKey, 'origin' | 'verifierKey'>,
): Promise<void> {
  if ((await tx.run(MARK, [origin])) === 0) return;
  await ledger.append(tx, { type: 'audit.opened', details: { origin, key: verifierKey } });
}
