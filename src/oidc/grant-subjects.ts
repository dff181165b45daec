import type { ActingSubject, EndedActing } from '../legal-persons/acting.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Connection, Database, SqlValue, Transaction } from '../storage/database.ts';
import type { Tables } from '../storage/tables.ts';

export type GrantSubjectRow = Tables['grant_subjects'];

/** One grant and for whom it was made. `expiresAt` is the grant's own end, epoch seconds. */
export interface GrantSubject {
  readonly grantId: string;
  readonly personId: string;
  readonly clientId: string;
  readonly sessionUid: string;
  readonly subject: ActingSubject;
  readonly expiresAt: number;
}

const COLUMNS = `grant_id, person_id, client_id, session_uid, ref, legal_person_id, represented_id, mandate_id, role, chosen_at,
  stands_until, expires_at`;
const SELECT = `SELECT ${COLUMNS} FROM grant_subjects`;
const SAVE = `INSERT INTO grant_subjects (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
  ON CONFLICT (grant_id) DO NOTHING`;
const RENEW = 'UPDATE grant_subjects SET stands_until = $2 WHERE grant_id = $1';
const REMOVE = 'DELETE FROM grant_subjects WHERE grant_id = $1';
const OVERDUE = `${SELECT} WHERE stands_until IS NOT NULL AND stands_until <= $1 ORDER BY stands_until LIMIT $2`;
const AFTER = `${SELECT} WHERE grant_id > $1 ORDER BY grant_id LIMIT $2`;
const SWEEP = `DELETE FROM grant_subjects WHERE grant_id IN
  (SELECT grant_id FROM grant_subjects WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
  AND expires_at <= $1`;

/**
 * Writes for whom a grant was made. False for a grant that its session uses once more: of that only the end of its mandate may have
 * moved.
 */
export async function saveGrantSubject(tx: Transaction, entry: GrantSubject): Promise<boolean> {
  const { subject } = entry;
  const standsUntil = subject.mandate?.validUntil ?? null;
  const saved = await tx.run(SAVE, [
    entry.grantId,
    entry.personId,
    entry.clientId,
    entry.sessionUid,
    subject.ref,
    subject.kind === 'legal' ? subject.legalPersonId : null,
    subject.kind === 'natural' ? subject.personId : null,
    subject.mandate?.id ?? null,
    subject.role,
    nowSeconds(),
    standsUntil,
    entry.expiresAt,
  ]);
  if (saved === 0) await tx.run(RENEW, [entry.grantId, standsUntil]);
  return saved === 1;
}

/** False when somebody else has removed it: of several that end one grant, only one tells of it. */
export async function removeGrantSubject(tx: Transaction, grantId: string): Promise<boolean> {
  return (await tx.run(REMOVE, [grantId])) === 1;
}

/** The mandate behind a grant was given another end. */
export async function prolongGrant(database: Database, grantId: string, standsUntil: number | null): Promise<void> {
  await database.run(RENEW, [grantId, standsUntil]);
}

/** The grants that what ended had opened. What names nothing ends nothing. */
export async function grantsOpenedBy(connection: Connection, ended: EndedActing): Promise<readonly GrantSubjectRow[]> {
  const where: string[] = [];
  const params: SqlValue[] = [];
  const add = (column: string, value: string | undefined): void => {
    if (value === undefined) return;
    params.push(value);
    where.push(`${column} = $${params.length}`);
  };
  add('mandate_id', ended.mandateId);
  add('legal_person_id', ended.legalPersonId);
  if (where.length === 0) return [];
  add('person_id', ended.personId);
  return connection.all<GrantSubjectRow>(`${SELECT} WHERE ${where.join(' AND ')} ORDER BY grant_id`, params);
}

/** Grants whose mandate has run out, the longest overdue first. */
export const overdueGrants = (database: Database, limit: number): Promise<GrantSubjectRow[]> =>
  database.all<GrantSubjectRow>(OVERDUE, [nowSeconds(), limit]);

/** The next grants in the order of their ids: for a walk over all of them. */
export const grantsAfter = (database: Database, grantId: string, limit: number): Promise<GrantSubjectRow[]> =>
  database.all<GrantSubjectRow>(AFTER, [grantId, limit]);

/** Deletes up to `limit` rows of grants that have expired; resolves with how many. */
export const sweepGrantSubjects = (database: Database, limit: number): Promise<number> =>
  database.run(SWEEP, [nowSeconds(), limit]);
