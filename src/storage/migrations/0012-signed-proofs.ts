import type { Migration } from '../migration.ts';

/**
 * What factors that sign leave behind, and sign-ins that wait for a phone. Who writes what: `spent_challenges` whoever accepts a signed
 * answer, in the transaction of what it allows; `scans` the browser that shows a code and the phone that answers it.
 */
export const signedProofs: Migration = {
  id: 12,
  name: 'signed-proofs',
  statements: (engine) => {
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    return [
      `CREATE TABLE spent_challenges (digest TEXT PRIMARY KEY NOT NULL, expires_at ${integer} NOT NULL)${strict}`,
      'CREATE INDEX spent_challenges_expiry ON spent_challenges (expires_at)',
      `CREATE TABLE scans (id TEXT PRIMARY KEY NOT NULL, code_digest TEXT NOT NULL UNIQUE, ceremony TEXT NOT NULL UNIQUE,
        browser TEXT NOT NULL, client_id TEXT NOT NULL, address TEXT NOT NULL, user_agent TEXT NOT NULL,
        match_number ${integer} NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'refused', 'used')), person_id TEXT,
        created_at ${integer} NOT NULL, expires_at ${integer} NOT NULL)${strict}`,
      'CREATE INDEX scans_expiry ON scans (expires_at)',
    ];
  },
};
