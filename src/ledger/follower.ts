import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';

/** Where somebody who follows the ledger stands: the number of the next entry to look at, and a small state of its own. */
export interface Cursor {
  readonly nextSeq: number;
  readonly state: Readonly<Record<string, unknown>>;
}

const FIND = 'SELECT next_seq, state FROM follower_cursors WHERE name = $1';
const SAVE = `INSERT INTO follower_cursors (name, next_seq, updated_at, state) VALUES ($1, $2, $3, $4)
  ON CONFLICT (name) DO UPDATE SET next_seq = excluded.next_seq, updated_at = excluded.updated_at, state = excluded.state`;

/** The cursor of `name`; undefined when it has never been saved. */
export async function findCursor(database: Database, name: string): Promise<Cursor | undefined> {
  const row = await database.get<{ next_seq: number; state: string }>(FIND, [name]);
  return row && { nextSeq: Number(row.next_seq), state: JSON.parse(row.state) as Record<string, unknown> };
}

/** Saves a cursor, with whatever the follower changed in the same transaction: that is what makes a step happen once. */
export async function saveCursor(tx: Transaction, name: string, cursor: Cursor): Promise<void> {
  await tx.run(SAVE, [name, cursor.nextSeq, nowSeconds(), JSON.stringify(cursor.state)]);
}
