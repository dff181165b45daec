/** A table that holds sealed values. */
export interface SealedTable {
  readonly table: string;
  /** What names a row in the place of its values, `table:column:row`; of two columns both, with a colon between. */
  readonly row: readonly [string] | readonly [string, string];
  readonly columns: readonly string[];
}

/**
 * Every sealed column of the store but those of `keys`, which the master key seals. The sealing is bound to table, column and row, so this list
 * is all that is needed to seal a row anew, and a test holds it against the schema.
 */
export const SEALED_TABLES: readonly SealedTable[] = [
  {
    table: 'persons',
    row: ['id'],
    columns: ['name_sealed', 'phone_sealed', 'email_sealed', 'address_sealed', 'user_name_sealed'],
  },
  { table: 'identity_documents', row: ['id'], columns: ['number_sealed'] },
  { table: 'bound_factors', row: ['id'], columns: ['label_sealed', 'secret_sealed'] },
  { table: 'ledger_subject_keys', row: ['id'], columns: ['key_sealed'] },
  { table: 'legal_persons', row: ['id'], columns: ['uscc_sealed', 'name_sealed'] },
  { table: 'legal_person_claims', row: ['id'], columns: ['uscc_sealed', 'name_sealed', 'note_sealed'] },
  { table: 'legal_person_claim_files', row: ['id'], columns: ['name_sealed', 'content_sealed'] },
  { table: 'legal_person_claim_reviews', row: ['claim_id', 'reviewer'], columns: ['reason_sealed'] },
  { table: 'mandates', row: ['id'], columns: ['invitee_sealed', 'evidence_sealed'] },
  { table: 'person_merges', row: ['id'], columns: ['record_sealed'] },
  { table: 'enrolment_drafts', row: ['id'], columns: ['sealed'] },
  { table: 'factor_challenges', row: ['id'], columns: ['sealed'] },
  { table: 'messages', row: ['id'], columns: ['sealed'] },
  { table: 'mailbox', row: ['id'], columns: ['sealed'] },
];

/** The names of a row in SQL, as one text: what the place of a sealed value ends in, and what rows are walked by. */
export const rowName = ({ row }: SealedTable): string => row.join(` || ':' || `);
