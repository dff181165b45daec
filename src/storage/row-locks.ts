import type { Database } from '../storage/database.ts';

/**
 * What makes a row that was read stay as it is until the transaction ends. SQLite has one writer and needs nothing. The order is
 * always the same, company, post, mandate: otherwise two transactions wait for one another.
 */
export const shareLock = (engine: Database['engine']): string => (engine === 'postgres' ? ' FOR SHARE' : '');

/** As `shareLock`, and keeps out whoever wants the same: for rules that count rows or replace one by another. */
export const updateLock = (engine: Database['engine']): string => (engine === 'postgres' ? ' FOR UPDATE' : '');
