import type { Migration } from '../migration.ts';

/**
 * Jobs of the night and what they found. Who writes what: `nightly_jobs` whoever holds the lease of that job; `person_checks` the
 * enrolment and the nightly re-check, in the transaction of what follows from the answer.
 */
export const proofing: Migration = {
  id: 8,
  name: 'proofing',
  statements: (engine) => {
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    const table = (name: string, columns: string): string => `CREATE TABLE ${name} (${columns})${strict}`;
    return [
      table(
        'nightly_jobs',
        `name TEXT PRIMARY KEY NOT NULL, fence ${integer} NOT NULL, holder TEXT NOT NULL, lease_until_ms ${integer} NOT NULL,
         place TEXT, handled ${integer} NOT NULL, total ${integer} NOT NULL, counts TEXT NOT NULL, started_at ${integer},
         finished_at ${integer}`,
      ),
      table(
        'person_checks',
        `person_id TEXT PRIMARY KEY NOT NULL, checked_at ${integer} NOT NULL, source TEXT NOT NULL,
         verdict TEXT NOT NULL CHECK (verdict IN ('match', 'mismatch'))`,
      ),
    ];
  },
};
