import type { Migration } from '../migration.ts';

/**
 * What the defence remembers. `recoveries.account`: under which name codes tried in a recovery are counted, so that a number nobody has runs
 * into the same limits. `sign_in_places`: in which regions a person has signed in, written with the sign-in, a few rows each.
 */
export const defence: Migration = {
  id: 14,
  name: 'defence',
  statements: (engine) => {
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    return [
      'ALTER TABLE recoveries ADD COLUMN account TEXT',
      `CREATE TABLE sign_in_places (person_id TEXT NOT NULL, region TEXT NOT NULL, latitude TEXT NOT NULL, longitude TEXT NOT NULL,
        seen_at ${integer} NOT NULL, PRIMARY KEY (person_id, region))${strict}`,
    ];
  },
};
