import { z } from 'zod';
import { Fault } from '../../shared/fault.ts';
import type { Connection, Transaction } from '../../storage/database.ts';

/** Who acts: the name a person gives, and the account of the operating system they act from. */
export interface Actor {
  readonly name: string;
  readonly operator: string;
}

/** A removal somebody proposed. Times are epoch seconds. */
export interface PruneProposal {
  readonly id: string;
  /** Entries below this number are to be removed. */
  readonly to: number;
  readonly reason: string;
  /** The name alone, to be compared. */
  readonly proposer: string;
  /** Name and account, as the ledger says it. */
  readonly proposedBy: string;
  readonly proposedAt: number;
  readonly approvedBy: string | null;
  readonly approvedAt: number | null;
  readonly doneAt: number | null;
}

interface Row {
  readonly id: string;
  readonly parameters: string;
  readonly proposed_by: string;
  readonly proposed_at: number;
  readonly reason: string;
  readonly approved_by: string | null;
  readonly approved_at: number | null;
  readonly done_at: number | null;
}

const ACTION = 'audit.prune';
const LIST_MAX = 200;
const COLUMNS = 'id, parameters, proposed_by, proposed_at, reason, approved_by, approved_at, done_at';
const INSERT = `INSERT INTO ledger_approvals (id, action, parameters, proposed_by, proposed_at, reason)
  VALUES ($1, $2, $3, $4, $5, $6)`;
const FIND = `SELECT ${COLUMNS} FROM ledger_approvals WHERE action = $1 AND id = $2`;
const LIST = `SELECT ${COLUMNS} FROM ledger_approvals WHERE action = $1 ORDER BY proposed_at DESC, id DESC LIMIT $2`;
const APPROVE = 'UPDATE ledger_approvals SET approved_by = $2, approved_at = $3 WHERE id = $1 AND approved_by IS NULL';
const FINISH = 'UPDATE ledger_approvals SET done_at = $2 WHERE id = $1 AND done_at IS NULL';

const parameters = z.strictObject({ to: z.int().min(0), proposer: z.string().min(1) });

/** How an actor stands in the ledger. */
export const labelOf = ({ name, operator }: Actor): string => `${name} (${operator})`;

/** Names that read the same are the same: NFKC, blanks and case do not make a second person. */
export const isSameName = (left: string, right: string): boolean => normalName(left) === normalName(right);
const normalName = (name: string): string => name.normalize('NFKC').replaceAll(/\s+/gu, '').toLowerCase();

export async function insertProposal(
  tx: Transaction,
  { id, to, reason, proposer, proposedBy, proposedAt }: PruneProposal,
): Promise<void> {
  await tx.run(INSERT, [id, ACTION, JSON.stringify({ to, proposer }), proposedBy, proposedAt, reason]);
}

/** Throws `Fault('internal')` when the stored row is not one of ours: it was edited. */
export async function findProposal(connection: Connection, id: string): Promise<PruneProposal | undefined> {
  const row = await connection.get<Row>(FIND, [ACTION, id]);
  return row && proposalOf(row);
}

/** The newest first. */
export const listProposals = async (connection: Connection): Promise<readonly PruneProposal[]> =>
  (await connection.all<Row>(LIST, [ACTION, LIST_MAX])).map(proposalOf);

/** False when somebody else has approved it meanwhile. */
export const markApproved = async (tx: Transaction, id: string, by: string, at: number): Promise<boolean> =>
  (await tx.run(APPROVE, [id, by, at])) === 1;

export const markDone = (tx: Transaction, id: string, at: number): Promise<number> => tx.run(FINISH, [id, at]);

function proposalOf(row: Row): PruneProposal {
  let read: unknown;
  try {
    read = JSON.parse(row.parameters);
  } catch {
    read = undefined;
  }
  const checked = parameters.safeParse(read);
  if (!checked.success) throw new Fault('internal', `The proposal ${row.id} to remove entries is not well formed.`);
  return {
    id: row.id,
    ...checked.data,
    reason: row.reason,
    proposedBy: row.proposed_by,
    proposedAt: Number(row.proposed_at),
    approvedBy: row.approved_by,
    approvedAt: row.approved_at === null ? null : Number(row.approved_at),
    doneAt: row.done_at === null ? null : Number(row.done_at),
  };
}
