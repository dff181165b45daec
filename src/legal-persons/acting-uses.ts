import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import { newId } from '../shared/ids.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { shareLock } from '../storage/row-locks.ts';
import type { Acting, ActingSubject } from './acting.ts';

const INSERT = `INSERT INTO acting_uses (id, person_id, legal_person_id, represented_id, mandate_id, role, client_id, at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`;

/**
 * Writes a use, if what it rests on still holds. The rows are locked against change until the sign-in commits: either the use comes
 * first, and whoever ends the mandate finds the grant it made, or the end comes first, and there is no use. Throws
 * `Fault('acting_ended')`.
 */
export function createNoteUse(engine: Database['engine']): Acting['noteUse'] {
  const lock = shareLock(engine);
  const company = `SELECT 1 AS one FROM legal_persons WHERE id = $1 AND status = 'active'${lock}`;
  const person = `SELECT 1 AS one FROM persons WHERE id = $1 AND status = 'active'${lock}`;
  const post = `SELECT 1 AS one FROM legal_person_posts WHERE id = $1 AND person_id = $2 AND status = 'active'${lock}`;
  const mandate = `SELECT 1 AS one FROM mandates
    WHERE id = $1 AND status = 'active' AND valid_from <= $2 AND valid_until > $2${lock}`;
  const parents = `SELECT parent_id AS parent, agent_legal_person_id AS through FROM mandates WHERE id = $1`;

  const holds = async (tx: Transaction, personId: string, subject: ActingSubject): Promise<boolean> => {
    const whole =
      subject.kind === 'legal' ? ([company, subject.legalPersonId] as const) : ([person, subject.personId] as const);
    if ((await tx.get(whole[0], [whole[1]])) === undefined) return false;
    for (const part of subject.ref.split('.')) {
      if (part.startsWith('pst_')) {
        if ((await tx.get(post, [part, personId])) === undefined) return false;
        continue;
      }
      const row = await tx.get<{ parent: string | null; through: string | null }>(parents, [part]);
      if (row === undefined) return false;
      if (row.through !== null && (await tx.get(company, [row.through])) === undefined) return false;
      for (const id of [row.parent, part]) {
        if (id !== null && (await tx.get(mandate, [id, nowSeconds()])) === undefined) return false;
      }
    }
    return true;
  };

  return async (tx, { personId, clientId, subject }) => {
    if (!(await holds(tx, personId, subject))) throw new Fault('acting_ended');
    await tx.run(INSERT, [
      newId('use'),
      personId,
      subject.kind === 'legal' ? subject.legalPersonId : null,
      subject.kind === 'natural' ? subject.personId : null,
      subject.mandate?.id ?? null,
      subject.role,
      clientId,
      nowSeconds(),
    ]);
  };
}

/** Somebody was let into a portal for somebody else. `at` is epoch seconds. */
export interface ActingUseRecord {
  readonly id: string;
  readonly personId: string;
  readonly legalPersonId: string | undefined;
  readonly representedId: string | undefined;
  readonly mandateId: string | undefined;
  readonly role: string;
  readonly clientId: string;
  readonly at: number;
}

/** Whose uses: those for a company, those for a natural person, or those somebody made. */
export type UsesOf =
  | { readonly legalPersonId: string }
  | { readonly representedId: string }
  | { readonly personId: string };

interface UseRow {
  readonly id: string;
  readonly person_id: string;
  readonly legal_person_id: string | null;
  readonly represented_id: string | null;
  readonly mandate_id: string | null;
  readonly role: string;
  readonly client_id: string;
  readonly at: number;
}

const listBy = (column: string): string =>
  `SELECT id, person_id, legal_person_id, represented_id, mandate_id, role, client_id, at FROM acting_uses
   WHERE ${column} = $1 AND id < $2 ORDER BY id DESC LIMIT $3`;
const BY_COMPANY = listBy('legal_person_id');
const BY_REPRESENTED = listBy('represented_id');
const BY_PERSON = listBy('person_id');
const PAGE_MAX = 200;
/** After every id there is, in every collation: ids begin with the time, and its first digit is far from `z`. */
const LAST = 'use_z';

/** The newest first. `before` is the id of the last one of the page before. */
export async function listUses(
  connection: Connection,
  of: UsesOf,
  { before = LAST, limit = PAGE_MAX }: { readonly before?: string; readonly limit?: number } = {},
): Promise<readonly ActingUseRecord[]> {
  const [sql, id] =
    'legalPersonId' in of
      ? [BY_COMPANY, of.legalPersonId]
      : 'representedId' in of
        ? [BY_REPRESENTED, of.representedId]
        : [BY_PERSON, of.personId];
  const rows = await connection.all<UseRow>(sql, [id, before, Math.min(limit, PAGE_MAX)]);
  return rows.map((row) => ({
    id: row.id,
    personId: row.person_id,
    legalPersonId: row.legal_person_id ?? undefined,
    representedId: row.represented_id ?? undefined,
    mandateId: row.mandate_id ?? undefined,
    role: row.role,
    clientId: row.client_id,
    at: row.at,
  }));
}
