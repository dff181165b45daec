import type { Transaction } from './database.ts';

/** Columns that hold a keyed digest, by what is digested. `where` leaves out rows that nobody looks for by it any more. */
export const INDEX_COLUMNS = {
  document: [
    { table: 'identity_documents', column: 'number_index', where: '1 = 1' },
    { table: 'mandates', column: 'invitee_index', where: "status = 'invited'" },
    { table: 'enrolment_drafts', column: 'number_index', where: '1 = 1' },
  ],
  identifier: [{ table: 'sign_in_identifiers', column: 'value_index', where: '1 = 1' }],
  company: [
    { table: 'legal_persons', column: 'uscc_index', where: '1 = 1' },
    { table: 'legal_person_claims', column: 'uscc_index', where: "status = 'pending'" },
  ],
} as const;

export type IndexFamily = keyof typeof INDEX_COLUMNS;

/**
 * What stood under one digest stands under another, wherever that is looked for, together: rows of different tables are joined by it.
 * Resolves with how many rows it was.
 */
export async function carryIndex(tx: Transaction, family: IndexFamily, from: string, to: string): Promise<number> {
  let rows = 0;
  for (const { table, column, where } of INDEX_COLUMNS[family]) {
    rows += await tx.run(`UPDATE ${table} SET ${column} = $1 WHERE ${column} = $2 AND ${where}`, [to, from]);
  }
  return rows;
}
