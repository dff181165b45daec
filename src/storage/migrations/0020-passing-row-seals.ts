import { PASSING_TABLES, ROW_SEAL } from '../guarded-tables.ts';
import type { Migration } from '../migration.ts';

/** The seals of sessions, of what the protocol keeps, and of what else opens a door for a while. Empty at first, as those of migration 18. */
export const passingRowSeals: Migration = {
  id: 20,
  name: 'seals of passing rows',
  statements: (engine) => {
    const bytes = engine === 'sqlite' ? 'BLOB' : 'BYTEA';
    return PASSING_TABLES.map(({ table }) => `ALTER TABLE ${table} ADD COLUMN ${ROW_SEAL} ${bytes}`);
  },
};
