import type { Sealer } from '../crypto/sealing.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Transaction } from '../storage/database.ts';
import { shareLock } from '../storage/row-locks.ts';
import { type ClaimRow, type ClaimRows, claimContext, reviewContext, reviewerKey } from './claim-rows.ts';
import type { ClaimParts } from './claims.ts';
import { takeOver } from './takeover.ts';

/** `reviewer` is a name; `operator` the account of the operating system it was given from. */
export interface Verdict {
  readonly reviewer: string;
  readonly operator: string;
  readonly decision: 'approve' | 'reject';
  readonly reason: string;
}

/**
 * `second`: approved by one, another one is still needed. `same_reviewer`: this one has spoken already. `applicant`: the person can no
 * longer represent anybody (account shut, level fallen). `company`: staff has stopped that company.
 */
export type VerdictOutcome =
  | { readonly ok: true; readonly status: 'second' | 'approved' | 'rejected' }
  | { readonly ok: false; readonly reason: 'unknown' | 'decided' | 'same_reviewer' | 'applicant' | 'company' };

const INSERT = `INSERT INTO legal_person_claim_reviews (claim_id, reviewer, decision, reason_sealed, at)
  VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`;
const APPROVALS = `SELECT reviewer FROM legal_person_claim_reviews WHERE claim_id = $1 AND decision = 'approve'`;
const DECIDE = 'UPDATE legal_person_claims SET status = $2, decided_at = $3 WHERE id = $1';
const APPROVALS_NEEDED = 2;

interface VerdictParts extends ClaimParts {
  readonly sealer: Sealer;
  readonly rows: ClaimRows;
  readonly ialMin: number;
}

type Decided = VerdictOutcome & { readonly replaced?: string };

const refuse = (reason: Extract<VerdictOutcome, { ok: false }>['reason']) => ({ ok: false, reason }) as const;

/** Undoes what a verdict has written when it turns out that it cannot be carried out. */
class Undone extends Error {
  readonly outcome: Decided;
  constructor(outcome: Decided) {
    super('undone');
    this.outcome = outcome;
  }
}

/** One verdict in one transaction that holds the row of the claim: two reviewers at once are counted one after the other. */
export function createClaimVerdicts(
  parts: VerdictParts,
): (claimId: string, verdict: Verdict) => Promise<VerdictOutcome> {
  const { database, sealer, ledger, rows, companies, posts, ends, notify } = parts;
  const APPLICANT = `SELECT status, ial FROM persons WHERE id = $1${shareLock(database.engine)}`;

  const record = async (tx: Transaction, row: ClaimRow, verdict: Verdict, status: string): Promise<void> => {
    const { reviewer, operator, decision, reason } = verdict;
    await ledger.append(tx, {
      type: 'legal-person.claim-reviewed',
      actor: `operator:${operator}`,
      personId: row.person_id,
      details: { claim: row.id, reviewer, decision, status, reason },
    });
  };

  /** The same as a match in the register would do; whoever represented it before is replaced. */
  const carryOut = async (tx: Transaction, row: ClaimRow, { operator }: Verdict): Promise<Decided> => {
    const applicant = await tx.get<{ status: string; ial: number }>(APPLICANT, [row.person_id]);
    if (applicant?.status !== 'active' || applicant.ial < parts.ialMin) return refuse('applicant');
    const by = { operator };
    const name = sealer.unseal(row.name_sealed, claimContext('name_sealed', row.id));
    const company = await companies.ensure(tx, { uscc: rows.usccOf(row), name, origin: 'review' }, by);
    if (company.row.status === 'suspended' && company.row.suspended_cause === 'operator') return refuse('company');
    const takeover = { personId: row.person_id, way: 'review', representativeKey: undefined, by } as const;
    const outcome = await takeOver(tx, { posts, ledger }, company.row, takeover);
    await notify(tx, row.person_id, 'claim_approved', { name });
    if (outcome.outcome !== 'replaced') return { ok: true, status: 'approved' };
    await notify(tx, outcome.formerId, 'post_ended', { name });
    return { ok: true, status: 'approved', replaced: company.row.id };
  };

  const decide = async (tx: Transaction, row: ClaimRow, verdict: Verdict): Promise<Decided> => {
    if (verdict.decision === 'approve') {
      const approvals = await tx.all(APPROVALS, [row.id]);
      if (approvals.length < APPROVALS_NEEDED) {
        await record(tx, row, verdict, 'second');
        return { ok: true, status: 'second' };
      }
      const outcome = await carryOut(tx, row, verdict);
      if (!outcome.ok) throw new Undone(outcome);
      await tx.run(DECIDE, [row.id, 'approved', nowSeconds()]);
      await record(tx, row, verdict, 'approved');
      return outcome;
    }
    await tx.run(DECIDE, [row.id, 'rejected', nowSeconds()]);
    await record(tx, row, verdict, 'rejected');
    const name = sealer.unseal(row.name_sealed, claimContext('name_sealed', row.id));
    await notify(tx, row.person_id, 'claim_rejected', { name });
    return { ok: true, status: 'rejected' };
  };

  return async (claimId, verdict) => {
    const outcome = await database
      .write(async (tx): Promise<Decided> => {
        const row = await rows.lock(tx, claimId);
        if (row === undefined) return refuse('unknown');
        if (row.status !== 'pending') return refuse('decided');
        const reviewer = reviewerKey(verdict.reviewer);
        const said = JSON.stringify({ label: `${verdict.reviewer} (${verdict.operator})`, text: verdict.reason });
        const sealed = sealer.seal(said, reviewContext(claimId, reviewer));
        const inserted = await tx.run(INSERT, [claimId, reviewer, verdict.decision, sealed, nowSeconds()]);
        return inserted === 0 ? refuse('same_reviewer') : decide(tx, row, verdict);
      })
      .catch((error: unknown) => {
        if (error instanceof Undone) return error.outcome;
        throw error;
      });
    if (outcome.ok && outcome.replaced !== undefined) await ends.company(outcome.replaced, 'representative_changed');
    return outcome.ok ? { ok: true, status: outcome.status } : outcome;
  };
}
