import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import { endSession } from './session-ending.ts';
import type { Authorizations } from './session-rows.ts';

export interface SessionExpirySources {
  readonly database: Database;
  readonly ledger: Ledger;
  /** Called after a commit that put notices into the outbox. */
  readonly wakeOutbox: () => void;
}

interface Expired {
  readonly uid: string;
  readonly account_id: string;
  readonly authorizations: string;
}

const EXPIRED = `SELECT ${UNJUDGED} uid, account_id, authorizations FROM sessions
  WHERE expires_at <= $1 AND ended_at IS NULL AND account_id IS NOT NULL ORDER BY expires_at LIMIT $2`;

/**
 * Ends sessions that ran out, idle or at their absolute end: up to `limit` of them get their mark, their event, and a notice to each of
 * their portals (C10). What a person granted beyond a session, offline access, stays. Several processes may do it at once: the mark
 * decides who tells of a session. Resolves with how many this call has ended.
 */
export function createSessionExpiry({ database, ledger, wakeOutbox }: SessionExpirySources) {
  // What has expired is found by nobody, so nothing can have prolonged it since it was read.
  const endOne = (tx: Transaction, { uid, account_id: personId, authorizations }: Expired): Promise<boolean> =>
    endSession(tx, ledger, { uid, personId, authorizations: JSON.parse(authorizations) as Authorizations }, 'expired', {
      actor: 'system',
    });

  return {
    async endExpired(limit: number): Promise<number> {
      const rows = await database.all<Expired>(EXPIRED, [nowSeconds(), limit]);
      if (rows.length === 0) return 0;
      const ended = await database.write(async (tx) => {
        let count = 0;
        for (const row of rows) if (await endOne(tx, row)) count += 1;
        return count;
      });
      if (ended > 0) wakeOutbox();
      return ended;
    },
  };
}
