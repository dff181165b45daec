import type { Sealer } from '../crypto/sealing.ts';
import type { Connection, Database } from '../storage/database.ts';
import { updateLock } from '../storage/row-locks.ts';
import type { Tables } from '../storage/tables.ts';
import { maskUscc, type Uscc } from './uscc.ts';

export type ClaimStatus = 'pending' | 'approved' | 'rejected' | 'withdrawn';

export type ClaimRow = Tables['legal_person_claims'];

/** What a reviewer said. `reviewer` is the name as given, with the account it was said from. */
export interface ClaimReview {
  readonly reviewer: string;
  readonly decision: 'approve' | 'reject';
  readonly reason: string;
  readonly at: number;
}

/** A claim as it stands in the queue: nothing is opened but the code, and that masked. */
export interface ClaimSummary {
  readonly id: string;
  readonly personId: string;
  readonly status: ClaimStatus;
  readonly usccMasked: string;
  readonly createdAt: number;
  readonly decidedAt: number | undefined;
}

/** Names that read the same are the same reviewer: NFKC, blanks and case make no second person. */
export const reviewerKey = (name: string): string => name.normalize('NFKC').replaceAll(/\s+/gu, '').toLowerCase();

type ClaimColumn = 'uscc_sealed' | 'name_sealed' | 'note_sealed';

export const claimContext = (column: ClaimColumn, id: string): string => `legal_person_claims:${column}:${id}`;
export const reviewContext = (claimId: string, reviewer: string): string =>
  `legal_person_claim_reviews:reason_sealed:${claimId}:${reviewer}`;

const COLUMNS = 'id, uscc_index, uscc_sealed, name_sealed, person_id, note_sealed, status, created_at, decided_at';
const FIND = `SELECT ${COLUMNS} FROM legal_person_claims WHERE id = $1`;
const QUEUE = `SELECT ${COLUMNS} FROM legal_person_claims WHERE status = 'pending' AND id > $1 ORDER BY id LIMIT $2`;
const OF_PERSON = `SELECT ${COLUMNS} FROM legal_person_claims WHERE person_id = $1 ORDER BY id DESC LIMIT $2`;
const REVIEWS = `SELECT reviewer, decision, reason_sealed, at FROM legal_person_claim_reviews
  WHERE claim_id = $1 ORDER BY at, reviewer`;
const PAGE_MAX = 200;

export interface ClaimRows {
  find(connection: Connection, id: string): Promise<ClaimRow | undefined>;
  /** The row, kept from other reviewers until the transaction ends. */
  lock(connection: Connection, id: string): Promise<ClaimRow | undefined>;
  /** Those that wait, the oldest first. */
  queue(page: { readonly after?: string | undefined; readonly limit?: number }): Promise<readonly ClaimRow[]>;
  ofPerson(personId: string): Promise<readonly ClaimRow[]>;
  reviews(connection: Connection, claimId: string): Promise<readonly ClaimReview[]>;
  summaryOf(row: ClaimRow): ClaimSummary;
  usccOf(row: ClaimRow): Uscc;
}

export function createClaimRows(database: Database, sealer: Sealer): ClaimRows {
  const lockOne = FIND + updateLock(database.engine);
  const usccOf = (row: ClaimRow): Uscc => sealer.unseal(row.uscc_sealed, claimContext('uscc_sealed', row.id)) as Uscc;
  return {
    find: (connection, id) => connection.get(FIND, [id]),
    lock: (connection, id) => connection.get(lockOne, [id]),
    queue: ({ after = '', limit = PAGE_MAX }) => database.all(QUEUE, [after, Math.min(limit, PAGE_MAX)]),
    ofPerson: (personId) => database.all(OF_PERSON, [personId, PAGE_MAX]),
    async reviews(connection, claimId) {
      const rows = await connection.all<Tables['legal_person_claim_reviews']>(REVIEWS, [claimId]);
      return rows.map(({ reviewer, decision, reason_sealed: reason, at }) => {
        const { label, text } = JSON.parse(sealer.unseal(reason, reviewContext(claimId, reviewer)));
        return { reviewer: label, decision, reason: text, at };
      });
    },
    usccOf,
    summaryOf: (row) => ({
      id: row.id,
      personId: row.person_id,
      status: row.status,
      usccMasked: maskUscc(usccOf(row)),
      createdAt: row.created_at,
      decidedAt: row.decided_at ?? undefined,
    }),
  };
}
