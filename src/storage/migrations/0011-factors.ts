import type { Migration } from '../migration.ts';

/**
 * What people prove themselves with beside the password. One table for every kind that keeps something: `secret` and `label` are sealed
 * for their row, `state` is what changes with each use and is only ever replaced over the value that was seen.
 */
export const factors: Migration = {
  id: 11,
  name: 'factors',
  statements: (engine) => {
    const bytes = engine === 'sqlite' ? 'BLOB' : 'BYTEA';
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    const table = (name: string, columns: string): string => `CREATE TABLE ${name} (${columns})${strict}`;
    return [
      table(
        'bound_factors',
        `id TEXT PRIMARY KEY NOT NULL, person_id TEXT REFERENCES persons (id), kind TEXT NOT NULL,
         label_sealed ${bytes} NOT NULL, secret_sealed ${bytes} NOT NULL, state TEXT NOT NULL, external_key TEXT,
         created_at ${integer} NOT NULL, bound_at ${integer}, last_used_at ${integer},
         CHECK ((person_id IS NULL) = (bound_at IS NULL))`,
      ),
      'CREATE INDEX bound_factors_person ON bound_factors (person_id, kind) WHERE person_id IS NOT NULL',
      'CREATE UNIQUE INDEX bound_factors_external ON bound_factors (kind, external_key) WHERE external_key IS NOT NULL',
      table(
        'factor_challenges',
        `id TEXT PRIMARY KEY NOT NULL, sealed ${bytes} NOT NULL, expires_at ${integer} NOT NULL, taken_at ${integer}`,
      ),
      'CREATE INDEX factor_challenges_expiry ON factor_challenges (expires_at)',
      table(
        'factor_policies',
        `person_id TEXT PRIMARY KEY NOT NULL REFERENCES persons (id), always_ask ${integer} NOT NULL, changed_at ${integer} NOT NULL`,
      ),
    ];
  },
};
