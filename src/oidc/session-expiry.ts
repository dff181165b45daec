import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import { endSession } from './session-ending.ts';

export interface SessionExpirySources {
  readonly database: Database;
  readonly ledger: Ledger;
  /** Called after a commit that put notices into the outbox. */
  readonly wakeOutbox: () => void;
}

interface Expired {
  readonly uid: string;
  readonly account_id: string;
}

const EXPIRED = `SELECT ${UNJUDGED} uid, account_id FROM sessions
  WHERE expires_at <= $1 AND ended_at IS NULL AND account_id IS NOT NULL ORDER BY expires_at LIMIT $2`;

/**
 * Ends sessions that ran out, idle or at their absolute end: up to `limit` of them get their mark, their event, and a notice to each of
 * their portals (C10). What a person granted beyond a session, offline access, stays. Several processes may do it at once: the mark
 * decides who tells of a session. Resolves with how many this call has ended.
 */
export function createSessionExpiry({ database, ledger, wakeOutbox }: SessionExpirySources) {
  // Whoever had read it in its last second may have prolonged it since.
  const endOne = (tx: Transaction, { uid, account_id: personId }: Expired, expiredBy: number): Promise<boolean> =>
    endSession(tx, ledger, { uid, personId, expiredBy }, 'expired', { actor: 'system' });

  return {
    async endExpired(limit: number): Promise<number> {
      const now = nowSeconds();
      const rows = await database.all<Expired>(EXPIRED, [now, limit]);
      if (rows.length === 0) return 0;
      const ended = await database.write(async (tx) => {
        let count = 0;
        for (const row of rows) if (await endOne(tx, row, now)) count += 1;
        return count;
      });
      if (ended > 0) wakeOutbox();
      return ended;
    },
  };
}
