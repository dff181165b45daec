import { LASTING_TABLES, ROW_SEAL } from '../guarded-tables.ts';
import type { Migration } from '../migration.ts';

/**
 * The seal of each row that decides who may do what. Empty at first: only whoever has the keys can make one, so the start that finds this
 * column new fills it (crypto/row-sealing.ts).
 */
export const rowSeals: Migration = {
  id: 18,
  name: 'row seals',
  statements: (engine) => {
    const bytes = engine === 'sqlite' ? 'BLOB' : 'BYTEA';
    return LASTING_TABLES.map(({ table }) => `ALTER TABLE ${table} ADD COLUMN ${ROW_SEAL} ${bytes}`);
  },
};
