import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import { endSession } from './session-ending.ts';

const SESSIONS_AT_ONCE = 200;
const LIVE = `SELECT ${UNJUDGED} uid, account_id FROM sessions
  WHERE ended_at IS NULL AND expires_at > $1 AND account_id IS NOT NULL ORDER BY uid LIMIT $2`;
/** Replay marks, and those of spent codes that are kept elsewhere, stay: what was used before the backup is used still. */
const OVER = [
  "DELETE FROM artifacts WHERE model NOT IN ('ReplayDetection', 'Consumed')",
  'DELETE FROM grant_subjects',
  'DELETE FROM trusted_devices',
  'DELETE FROM scans',
] as const;

interface LiveRow {
  readonly uid: string;
  readonly account_id: string;
}

/**
 * Begins a new time in a store that was brought back from a copy: every session, grant, token, code and trusted browser of before ends, since
 * each of them may have been ended after the copy was made. Portals are told. Resolves with how many sessions there were.
 */
export async function beginRestoreEpoch({
  database,
  ledger,
}: {
  readonly database: Database;
  readonly ledger: Ledger;
}): Promise<number> {
  let ended = 0;
  for (;;) {
    const rows = await database.all<LiveRow>(LIVE, [nowSeconds(), SESSIONS_AT_ONCE]);
    if (rows.length === 0) break;
    await database.write(async (tx) => {
      for (const { uid, account_id: personId } of rows) await endSession(tx, ledger, { uid, personId }, 'restored');
    });
    ended += rows.length;
  }
  await database.write(async (tx) => {
    for (const statement of OVER) await tx.run(statement, []);
  });
  return ended;
}
