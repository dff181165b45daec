import type { Migration } from '../migration.ts';

/**
 * Hashes of passwords that people have had before, so that none is chosen again (factors/earlier-passwords.ts); when somebody was told
 * that theirs is about to be too old; and the account of the machine under which a member of staff gives commands.
 */
export const passwordsAndStaff: Migration = {
  id: 17,
  name: 'earlier passwords, and accounts of staff',
  statements: (engine) => {
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    return [
      `CREATE TABLE earlier_passwords (id TEXT PRIMARY KEY NOT NULL, person_id TEXT NOT NULL REFERENCES persons (id),
        hash TEXT NOT NULL, ended_at ${integer} NOT NULL)${strict}`,
      'CREATE INDEX earlier_passwords_person ON earlier_passwords (person_id, ended_at)',
      `ALTER TABLE passwords ADD COLUMN warned_at ${integer}`,
      'ALTER TABLE staff ADD COLUMN account TEXT',
    ];
  },
};
