import type { Database, Transaction } from '../storage/database.ts';

const STATUS = 'SELECT status FROM persons WHERE id = $1';

/**
 * Whether somebody may act, kept so until the transaction ends: whoever shuts, merges or closes the account at this moment comes wholly
 * before or wholly after. SQLite has one writer and needs no lock.
 */
export async function holdActive(tx: Transaction, engine: Database['engine'], personId: string): Promise<boolean> {
  const row = await tx.get<{ status: string }>(engine === 'postgres' ? `${STATUS} FOR SHARE` : STATUS, [personId]);
  return row?.status === 'active';
}
