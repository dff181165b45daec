import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import type { Transaction } from '../storage/database.ts';
import { enqueueLogout } from './logout-notices.ts';
import { endSessionRow } from './session-rows.ts';

/** Who ended a session where that is not the person or the operator of a command, and from where it was asked for. */
export type SessionEnder = Pick<LedgerEvent, 'actor' | 'address' | 'userAgent' | 'correlation'>;

export interface EndingSession {
  readonly uid: string;
  readonly personId: string;
  /** Ends only where it has run out by then, in epoch seconds. */
  readonly expiredBy?: number;
}

/**
 * Ends a session in the caller's transaction: its mark, a notice to each of the portals it holds by then (R15), and the event. Several processes may want
 * it at once: the mark decides who tells of it. False when it had ended before.
 */
export async function endSession(
  tx: Transaction,
  ledger: Ledger,
  { uid, personId, ...when }: EndingSession,
  cause: string,
  by: SessionEnder = {},
): Promise<boolean> {
  const authorizations = await endSessionRow(tx, uid, when);
  if (authorizations === undefined) return false;
  for (const [clientId, { sid }] of Object.entries(authorizations)) {
    if (sid) await enqueueLogout(tx, { clientId, accountId: personId, sid, sessionUid: uid });
  }
  await ledger.append(tx, { ...by, type: 'session.ended', personId, sessionUid: uid, details: { cause } });
  return true;
}
