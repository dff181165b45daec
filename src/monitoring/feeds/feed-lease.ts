import { nowMs } from '../../shared/clock.ts';
import type { Database } from '../../storage/database.ts';
import type { Doubt } from './feed.ts';
import { ensureFeedCursor, findFeedCursor, replaceFeedCursor, type StoredCursor } from './feed-cursor.ts';

/** How long a feed waits for a node that died with it. */
export const LEASE_MS = 30_000;
/** A lease that ends later than this was taken by a clock that has been set since; nodes differ by seconds (X8). */
const AHEAD_MS_MAX = 3 * LEASE_MS;

/** `mine`: this node delivers, until the lease in the cursor ends. */
export interface Claim {
  readonly mine: boolean;
  readonly cursor: StoredCursor;
}

/**
 * Makes one of several nodes the one that delivers, by compare-and-set on the cursor. Whoever takes over begins with what its
 * predecessor left in doubt. The lease holds for at least half of LEASE_MS afterwards.
 */
export async function claimFeed(
  database: Database,
  feed: string,
  holder: string,
  doubt: Doubt | undefined,
): Promise<Claim> {
  const cursor = await ensureFeedCursor(database, feed);
  const { state, nextSeq } = cursor;
  const mine = state.holder === holder;
  const leftMs = state.leaseUntilMs - nowMs();
  if (mine && leftMs > LEASE_MS / 2) return { mine, cursor };
  if (!mine && state.holder !== null && leftMs > 0 && leftMs <= AHEAD_MS_MAX) return { mine, cursor };
  const leaseUntilMs = nowMs() + LEASE_MS;
  const doubted = { doubtFrom: doubt?.from ?? null, doubtPrevious: doubt?.previous ?? null };
  const again = !mine && state.doubtFrom !== null && state.doubtFrom < nextSeq;
  const next = again
    ? { nextSeq: state.doubtFrom, state: { ...state, holder, leaseUntilMs, lastSeq: state.doubtPrevious } }
    : { nextSeq, state: { ...state, ...doubted, holder, leaseUntilMs } };
  const saved = await replaceFeedCursor(database, feed, cursor, next);
  return saved === undefined ? { mine: false, cursor } : { mine: true, cursor: saved };
}

/** Leaves the feed to the next who asks. `doubt` is what could not be confirmed on leaving. */
export async function releaseFeed(
  database: Database,
  feed: string,
  holder: string,
  doubt: Doubt | undefined,
): Promise<void> {
  const cursor = await findFeedCursor(database, feed);
  if (cursor === undefined || cursor.state.holder !== holder) return;
  const doubted = { doubtFrom: doubt?.from ?? null, doubtPrevious: doubt?.previous ?? null };
  const state = { ...cursor.state, ...doubted, holder: null, leaseUntilMs: 0 };
  await replaceFeedCursor(database, feed, cursor, { ...cursor, state });
}
