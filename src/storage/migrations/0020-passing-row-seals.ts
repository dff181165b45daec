import type { Migration } from '../migration.ts';

const TABLES = ['sessions', 'artifacts', 'scans', 'recoveries', 'enrolment_drafts'] as const;

/** The seals of sessions, of what the protocol keeps, and of what else opens a door for a while. Empty at first, as those of migration 18. */
export const passingRowSeals: Migration = {
  id: 20,
  name: 'passing-row-seals',
  statements: (engine) => {
    const bytes = engine === 'sqlite' ? 'BLOB' : 'BYTEA';
    return TABLES.map((table) => `ALTER TABLE ${table} ADD COLUMN row_seal ${bytes}`);
  },
};
