import type { Migration } from '../migration.ts';

/** As they were called when this step was written: what stands under seal since then has steps of its own. */
const TABLES = [
  'keys',
  'relying_parties',
  'staff',
  'persons',
  'identity_documents',
  'sign_in_identifiers',
  'passwords',
  'bound_factors',
  'recovery_codes',
  'factor_policies',
  'trusted_devices',
  'legal_persons',
  'legal_person_posts',
  'legal_person_claims',
  'legal_person_claim_reviews',
  'mandates',
  'consents',
  'ledger_approvals',
] as const;

/**
 * The seal of each row that decides who may do what. Empty at first: only whoever has the keys can make one, so the start that finds this
 * column new fills it (crypto/row-sealing.ts).
 */
export const rowSeals: Migration = {
  id: 18,
  name: 'row seals',
  statements: (engine) => {
    const bytes = engine === 'sqlite' ? 'BLOB' : 'BYTEA';
    return TABLES.map((table) => `ALTER TABLE ${table} ADD COLUMN row_seal ${bytes}`);
  },
};
