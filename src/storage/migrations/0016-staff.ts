import type { Migration } from '../migration.ts';

/** Members of staff, each with the one role they hold. Written by people/staff.ts alone. */
export const staff: Migration = {
  id: 16,
  name: 'staff',
  statements: (engine) => {
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    return [
      `CREATE TABLE staff (person_id TEXT PRIMARY KEY NOT NULL REFERENCES persons (id), role TEXT NOT NULL,
        status TEXT NOT NULL, added_at ${integer} NOT NULL, changed_at ${integer} NOT NULL)${strict}`,
    ];
  },
};
