import { enqueue } from '../delivery/outbox.ts';
import type { Transaction } from '../storage/database.ts';

/** Logout notices in the outbox, and in the commands that look after them. */
export const LOGOUT_TOPIC = 'backchannel_logout';

/** A notice that a portal should end its session of this person. */
export interface LogoutNotice {
  readonly clientId: string;
  readonly accountId: string;
  readonly sid: string;
  /** The session that ended, or that the portal was taken out of. */
  readonly sessionUid?: string;
}

const RECORD = 'SELECT record FROM relying_parties WHERE client_id = $1';

/**
 * Puts a notice into the transaction that ends the session (R15), where the portal has a back-channel address. Notices about one person
 * reach one portal in the order of what happened.
 */
export async function enqueueLogout(tx: Transaction, notice: LogoutNotice): Promise<void> {
  const row = await tx.get<{ record: string }>(RECORD, [notice.clientId]);
  if (row === undefined || JSON.parse(row.record).backchannel_logout_uri === undefined) return;
  await enqueue(tx, {
    topic: LOGOUT_TOPIC,
    payload: { ...notice, personId: notice.accountId },
    orderKey: `${LOGOUT_TOPIC} ${notice.clientId} ${notice.accountId}`,
    ...(notice.sessionUid === undefined ? {} : { occasion: notice.sessionUid }),
  });
}
