import { nowSeconds } from '../../shared/clock.ts';
import { newId } from '../../shared/ids.ts';
import type { Database, Transaction } from '../../storage/database.ts';

/** Events a receiver refused, by number: the ledger still holds them. */
export interface DeadLetter {
  readonly id: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly reason: string;
  readonly at: number;
}

const INSERT = `INSERT INTO feed_dead_letters (id, feed, first_seq, last_seq, reason, at) VALUES ($1, $2, $3, $4, $5, $6)`;
const LIST = `SELECT id, first_seq, last_seq, reason, at FROM feed_dead_letters
  WHERE feed = $1 AND replayed_at IS NULL AND first_seq > $2 ORDER BY first_seq, id LIMIT $3`;
const COUNT = 'SELECT count(*) AS count FROM feed_dead_letters WHERE feed = $1 AND replayed_at IS NULL';
const REPLAYED = 'UPDATE feed_dead_letters SET replayed_at = $2 WHERE id = $1';

/** Puts one event aside, in the transaction that moves the feed past it. */
export async function putAside(tx: Transaction, feed: string, seq: number, reason: string): Promise<void> {
  await tx.run(INSERT, [newId('dl'), feed, seq, seq, reason, nowSeconds()]);
}

/** At most `limit` dead letters of a feed that begin after number `after`, in the order of their numbers. */
export async function deadLetters(
  database: Database,
  feed: string,
  after: number,
  limit: number,
): Promise<readonly DeadLetter[]> {
  const rows = await database.all<{ id: string; first_seq: number; last_seq: number; reason: string; at: number }>(
    LIST,
    [feed, after, limit],
  );
  return rows.map(({ id, first_seq, last_seq, reason, at }) => ({
    id,
    firstSeq: Number(first_seq),
    lastSeq: Number(last_seq),
    reason,
    at: Number(at),
  }));
}

export const countDeadLetters = async (database: Database, feed: string): Promise<number> =>
  Number((await database.get<{ count: number }>(COUNT, [feed]))?.count ?? 0);

/** Marks a dead letter that has been delivered after all. */
export async function markReplayed(database: Database, id: string): Promise<void> {
  await database.run(REPLAYED, [id, nowSeconds()]);
}
