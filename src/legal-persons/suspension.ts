import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Transaction } from '../storage/database.ts';
import { actorOf, type By } from './by.ts';
import type { CompanyRow } from './companies.ts';
import { tellCompany } from './company-notices.ts';

/** `representative_changed` and `deregistered` come from the register, `operator` from staff. */
export type SuspensionCause = 'representative_changed' | 'deregistered' | 'operator';

export interface Suspending {
  readonly cause: SuspensionCause;
  readonly by: By;
  /** What staff says about it. */
  readonly reason?: string;
}

const MARK = `UPDATE legal_persons SET status = $2, suspended_cause = $3, updated_at = $4
  WHERE id = $1 AND (status = 'active' OR (status = 'suspended' AND $2 = 'deregistered'))`;
const SUSPEND_POSTS = `UPDATE legal_person_posts SET status = 'suspended', cause = $2, updated_at = $3
  WHERE legal_person_id = $1 AND status = 'active'`;
const SUSPEND_MANDATES = `UPDATE mandates SET status = 'suspended', suspended_by = $2, cause = $3, updated_at = $4
  WHERE legal_person_id = $1 AND status IN ('invited', 'active')`;
const REVIVE = `UPDATE legal_persons SET status = 'active', suspended_cause = NULL, updated_at = $2
  WHERE id = $1 AND status <> 'active'`;
const RESUME_POSTS = `UPDATE legal_person_posts SET status = 'active', cause = NULL, updated_at = $3
  WHERE legal_person_id = $1 AND status = 'suspended' AND cause = $2`;
const RESUME_MANDATES = `UPDATE mandates SET status = CASE WHEN accepted_at IS NULL THEN 'invited' ELSE 'active' END,
  suspended_by = NULL, cause = NULL, updated_at = $3
  WHERE legal_person_id = $1 AND status = 'suspended' AND cause = $2`;

/**
 * Stops a whole legal person: in one statement each, whether it has ten mandates or ten thousand, with one event that counts them.
 * Everyone concerned is told by the outbox, after the commit and in steps. False when it was stopped before.
 */
export async function suspendCompany(
  tx: Transaction,
  ledger: Ledger,
  { id }: Pick<CompanyRow, 'id'>,
  { cause, by, reason }: Suspending,
): Promise<boolean> {
  const isGone = cause === 'deregistered';
  const now = nowSeconds();
  if ((await tx.run(MARK, [id, isGone ? 'deregistered' : 'suspended', cause, now])) === 0) return false;
  await stopAll(tx, ledger, id, { cause, by, ...(reason === undefined ? {} : { reason }) });
  return true;
}

/** Suspends what hangs on a legal person and leaves it itself as it is: when its representative is another one. */
export async function stopAll(tx: Transaction, ledger: Ledger, id: string, suspending: Suspending): Promise<void> {
  const { cause, by, reason } = suspending;
  const now = nowSeconds();
  const posts = await tx.run(SUSPEND_POSTS, [id, cause, now]);
  const mandates = await tx.run(SUSPEND_MANDATES, [id, cause === 'operator' ? 'operator' : 'house', cause, now]);
  await ledger.append(tx, {
    type: cause === 'deregistered' ? 'legal-person.deregistered' : 'legal-person.suspended',
    ...actorOf(by),
    details: { legalPerson: id, cause, posts, mandates, ...(reason === undefined ? {} : { reason }) },
  });
  await tellCompany(tx, { legalPersonId: id, notice: 'company_suspended' });
}

/** Takes back what the suspension did, and nothing that was suspended for itself. False when it is active already. */
export async function resumeCompany(
  tx: Transaction,
  ledger: Ledger,
  row: CompanyRow,
  by: By,
  reason: string,
): Promise<boolean> {
  const now = nowSeconds();
  const cause = row.suspended_cause ?? '';
  if ((await tx.run(REVIVE, [row.id, now])) === 0) return false;
  const posts = await tx.run(RESUME_POSTS, [row.id, cause, now]);
  const mandates = await tx.run(RESUME_MANDATES, [row.id, cause, now]);
  const details = { legalPerson: row.id, posts, mandates, reason };
  await ledger.append(tx, { type: 'legal-person.resumed', ...actorOf(by), details });
  await tellCompany(tx, { legalPersonId: row.id, notice: 'company_resumed' });
  return true;
}

/** Makes a stopped legal person active for a new representative; its mandates wait for them. */
export async function reviveCompany(tx: Transaction, { id }: CompanyRow): Promise<void> {
  await tx.run(REVIVE, [id, nowSeconds()]);
}
