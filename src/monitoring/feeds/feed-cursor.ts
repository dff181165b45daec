import { nowSeconds } from '../../shared/clock.ts';
import type { Connection, Database } from '../../storage/database.ts';

/** Numbers that ought to be there and are not: `from` up to `to`, without it. */
export interface Hole {
  readonly from: number;
  readonly to: number;
  readonly noticedMs: number;
}

/** Where a feed stands beside its next number. Everything a successor, or the command line, has to know. */
export interface FeedState {
  /** The node that delivers, until this moment; null when nobody does. */
  readonly holder: string | null;
  readonly leaseUntilMs: number;
  /** The last number that was meant for the receiver, delivered or put aside. */
  readonly lastSeq: number | null;
  readonly lastDeliveredSeq: number | null;
  /** Where to begin again after a crash: what was sent and not confirmed. */
  readonly doubtFrom: number | null;
  readonly doubtPrevious: number | null;
  readonly holes: readonly Hole[];
  /** An outage the ledger knows of. */
  readonly outage: { readonly sinceMs: number; readonly error: string } | null;
  readonly recoveredMs: number;
}

export interface FeedCursor {
  readonly nextSeq: number;
  readonly state: FeedState;
}

/** As it is stored, kept for the comparison. */
export type StoredCursor = FeedCursor & { readonly stateText: string };

export const BEGINNING: FeedState = {
  holder: null,
  leaseUntilMs: 0,
  lastSeq: null,
  lastDeliveredSeq: null,
  doubtFrom: null,
  doubtPrevious: null,
  holes: [],
  outage: null,
  recoveredMs: 0,
};

export const cursorName = (feed: string): string => `feed:${feed}`;

const FIND = 'SELECT next_seq, state FROM follower_cursors WHERE name = $1';
const INSERT = `INSERT INTO follower_cursors (name, next_seq, updated_at, state) VALUES ($1, 0, $2, $3)
  ON CONFLICT (name) DO NOTHING`;
const REPLACE = `UPDATE follower_cursors SET next_seq = $4, state = $5, updated_at = $6
  WHERE name = $1 AND next_seq = $2 AND state = $3`;

/** The cursor of a feed; undefined before it ran for the first time. */
export async function findFeedCursor(database: Database, feed: string): Promise<StoredCursor | undefined> {
  const row = await database.get<{ next_seq: number; state: string }>(FIND, [cursorName(feed)]);
  if (row === undefined) return undefined;
  const state: FeedState = { ...BEGINNING, ...(JSON.parse(row.state) as Partial<FeedState>) };
  return { nextSeq: Number(row.next_seq), state, stateText: row.state };
}

/** The cursor of a feed, made at the beginning of the ledger if there is none. */
export async function ensureFeedCursor(database: Database, feed: string): Promise<StoredCursor> {
  const found = await findFeedCursor(database, feed);
  if (found !== undefined) return found;
  const text = JSON.stringify(BEGINNING);
  await database.run(INSERT, [cursorName(feed), nowSeconds(), text]);
  return (await findFeedCursor(database, feed)) ?? { nextSeq: 0, state: BEGINNING, stateText: text };
}

/**
 * Replaces the cursor if it is still `known`, and returns it as stored; undefined when another node or an operator has moved it in
 * the meantime. Inside a transaction nothing else may be written then.
 */
export async function replaceFeedCursor(
  connection: Connection,
  feed: string,
  known: StoredCursor,
  next: FeedCursor,
): Promise<StoredCursor | undefined> {
  const stateText = JSON.stringify(next.state);
  const changed = await connection.run(REPLACE, [
    cursorName(feed),
    known.nextSeq,
    known.stateText,
    next.nextSeq,
    stateText,
    nowSeconds(),
  ]);
  return changed === 1 ? { ...next, stateText } : undefined;
}
