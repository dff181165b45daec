import type { Database, Transaction } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import { shareLock } from '../storage/row-locks.ts';

const STATUS = 'SELECT status FROM persons WHERE id = $1';

/**
 * Whether somebody may act, kept so until the transaction ends: whoever shuts, merges or closes the account at this moment comes wholly
 * before or wholly after. SQLite has one writer and needs no lock.
 */
export async function holdActive(tx: Transaction, engine: Database['engine'], personId: string): Promise<boolean> {
  const row = await tx.get<{ status: string }>(STATUS + shareLock(engine), [personId]);
  return row?.status === 'active';
}

const ACTIVE = `SELECT ${UNJUDGED} 1 AS active FROM persons WHERE id = $1 AND status = 'active'`;

/** The same for somebody whose account this request has read and found open: without waiting for the answer, the write is undone and throws what `lost` makes. */
export function demandActive(tx: Transaction, engine: Database['engine'], personId: string, lost: () => unknown): void {
  tx.demandRow(ACTIVE + shareLock(engine), [personId], lost);
}
