import type { Database, Transaction } from './database.ts';
import { UNJUDGED } from './guarded-statements.ts';

/**
 * What makes a row that was read stay as it is until the transaction ends. SQLite has one writer and needs nothing. The order is
 * always the same, company, post, mandate: otherwise two transactions wait for one another.
 */
export const shareLock = (engine: Database['engine']): string => (engine === 'postgres' ? ' FOR SHARE' : '');

/** As `shareLock`, and keeps out whoever wants the same: for rules that count rows or replace one by another. */
export const updateLock = (engine: Database['engine']): string => (engine === 'postgres' ? ' FOR UPDATE' : '');

const PERSON = `SELECT ${UNJUDGED} id FROM persons WHERE id = $1`;

/**
 * Keeps everybody else from changing what belongs to a person until the transaction ends: for rules that count rows of theirs, or say that one must be
 * left. SQLite has one writer and needs no lock.
 */
export async function holdPerson(tx: Transaction, engine: Database['engine'], personId: string): Promise<void> {
  if (engine === 'postgres') await tx.get(PERSON + updateLock(engine), [personId]);
}
