import type { Migration } from '../migration.ts';

/** Messages to people, sent codes, the drafts of enrolment, recovery and its codes. What names a person is sealed or a digest. */
export const enrolment: Migration = {
  id: 4,
  name: 'enrolment',
  statements: (engine) => {
    const bytes = engine === 'sqlite' ? 'BLOB' : 'BYTEA';
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    const table = (name: string, columns: string): string => `CREATE TABLE ${name} (${columns})${strict}`;
    return [
      table('messages', `id TEXT PRIMARY KEY NOT NULL, sealed ${bytes} NOT NULL, expires_at ${integer} NOT NULL`),
      'CREATE INDEX messages_expiry ON messages (expires_at)',
      table('mailbox', `id TEXT PRIMARY KEY NOT NULL, sealed ${bytes} NOT NULL, at ${integer} NOT NULL`),
      'CREATE INDEX mailbox_time ON mailbox (at)',
      table(
        'one_time_codes',
        `purpose TEXT NOT NULL, binding TEXT NOT NULL, digest TEXT NOT NULL, attempts ${integer} NOT NULL,
         sends ${integer} NOT NULL, sent_at ${integer} NOT NULL, expires_at ${integer} NOT NULL, consumed_at ${integer},
         PRIMARY KEY (purpose, binding)`,
      ),
      'CREATE INDEX one_time_codes_expiry ON one_time_codes (expires_at)',
      table(
        'enrolment_drafts',
        `id TEXT PRIMARY KEY NOT NULL, secret_digest TEXT NOT NULL UNIQUE,
         kind TEXT NOT NULL CHECK (kind IN ('self', 'counter')), step TEXT NOT NULL, version ${integer} NOT NULL,
         number_index TEXT NOT NULL, sealed ${bytes} NOT NULL, created_at ${integer} NOT NULL, expires_at ${integer} NOT NULL`,
      ),
      "CREATE INDEX enrolment_drafts_number ON enrolment_drafts (number_index) WHERE kind = 'counter'",
      'CREATE INDEX enrolment_drafts_expiry ON enrolment_drafts (expires_at)',
      table(
        'recoveries',
        `id TEXT PRIMARY KEY NOT NULL, secret_digest TEXT NOT NULL UNIQUE, person_id TEXT,
         route TEXT NOT NULL CHECK (route IN ('proofing', 'code')),
         state TEXT NOT NULL CHECK (state IN ('begun', 'waiting', 'completed', 'cancelled')),
         created_at ${integer} NOT NULL, waits_until ${integer} NOT NULL, expires_at ${integer} NOT NULL`,
      ),
      "CREATE INDEX recoveries_waiting ON recoveries (person_id) WHERE state = 'waiting'",
      'CREATE INDEX recoveries_expiry ON recoveries (expires_at)',
      table(
        'recovery_codes',
        `person_id TEXT NOT NULL, digest TEXT NOT NULL, made_at ${integer} NOT NULL,
         used_at ${integer}, PRIMARY KEY (person_id, digest)`,
      ),
    ];
  },
};
