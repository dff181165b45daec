import type { SqlValue, Transaction } from './database.ts';
import { RunAgain } from './storage-errors.ts';

/** Writes whose first way was lost; each is the object that stands for it, however often it is run. */
const lostBefore = new WeakSet<object>();

/**
 * Tries a write the short way, as one compare-and-set that nobody waits for. False where that was lost: then the caller looks at what stands there and
 * takes the long way. On SQLite it is heard of at once. On PostgreSQL it is heard of at the COMMIT, everything is undone and run again, and this is
 * where the second run learns of it: `write` is the same object in both.
 */
export function demandOnce(tx: Transaction, write: object, sql: string, params: readonly SqlValue[]): boolean {
  if (lostBefore.has(write)) return false;
  try {
    tx.demand(sql, params, () => {
      lostBefore.add(write);
      return new RunAgain('a row is not as it was read');
    });
    return true;
  } catch (error) {
    if (error instanceof RunAgain) return false;
    throw error;
  }
}
