import type { Migration } from '../migration.ts';

/**
 * For whom grants were made, found by what may end them. Written in the transaction of the authorization code; removed by whatever
 * ends the grant: the end of a mandate or post, another choice, the sweep.
 */
export const grantSubjects: Migration = {
  id: 6,
  name: 'grant-subjects',
  statements: (engine) => {
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    return [
      `CREATE TABLE grant_subjects (grant_id TEXT PRIMARY KEY NOT NULL, person_id TEXT NOT NULL, client_id TEXT NOT NULL,
        session_uid TEXT NOT NULL, ref TEXT NOT NULL, legal_person_id TEXT, represented_id TEXT, mandate_id TEXT, role TEXT NOT NULL,
        chosen_at ${integer} NOT NULL, stands_until ${integer}, expires_at ${integer} NOT NULL,
        CHECK ((legal_person_id IS NULL) <> (represented_id IS NULL)))${strict}`,
      'CREATE INDEX grant_subjects_mandate ON grant_subjects (mandate_id) WHERE mandate_id IS NOT NULL',
      'CREATE INDEX grant_subjects_legal_person ON grant_subjects (legal_person_id, person_id) WHERE legal_person_id IS NOT NULL',
      'CREATE INDEX grant_subjects_stands_until ON grant_subjects (stands_until) WHERE stands_until IS NOT NULL',
      'CREATE INDEX grant_subjects_expiry ON grant_subjects (expires_at)',
    ];
  },
};
