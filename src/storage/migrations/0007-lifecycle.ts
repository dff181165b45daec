import type { Database } from '../database.ts';
import type { Migration } from '../migration.ts';

/**
 * How accounts end and go over into one another, and the ledger of consents. `persons.status_before` is what a disabled account was
 * before; `fourteen_at` and `milestone_at` are birthdays still to come, and null for adults and for people whose birth date is unknown.
 */
export const lifecycle: Migration = {
  id: 7,
  name: 'lifecycle',
  statements: (engine) => {
    const bytes = engine === 'sqlite' ? 'BLOB' : 'BYTEA';
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    const table = (name: string, columns: string): string => `CREATE TABLE ${name} (${columns})${strict}`;
    return [
      'ALTER TABLE persons ADD COLUMN status_before TEXT',
      `ALTER TABLE persons ADD COLUMN fourteen_at ${integer}`,
      `ALTER TABLE persons ADD COLUMN milestone_at ${integer}`,
      'CREATE INDEX persons_milestone ON persons (milestone_at) WHERE milestone_at IS NOT NULL',
      table(
        'person_closures',
        `person_id TEXT PRIMARY KEY NOT NULL REFERENCES persons (id), asked_at ${integer} NOT NULL, due_at ${integer} NOT NULL,
         held_at ${integer}`,
      ),
      'CREATE INDEX person_closures_due ON person_closures (due_at)',
      table(
        'person_remains',
        `person_id TEXT PRIMARY KEY NOT NULL REFERENCES persons (id), kind TEXT NOT NULL CHECK (kind IN ('closed', 'merged')),
         ended_at ${integer} NOT NULL, keep_until ${integer} NOT NULL`,
      ),
      'CREATE INDEX person_remains_end ON person_remains (keep_until)',
      table(
        'person_merges',
        `id TEXT PRIMARY KEY NOT NULL, kept_id TEXT NOT NULL REFERENCES persons (id),
         merged_id TEXT NOT NULL REFERENCES persons (id), state TEXT NOT NULL CHECK (state IN ('open', 'undone', 'final')),
         record_sealed ${bytes}, merged_at ${integer} NOT NULL, undo_until ${integer} NOT NULL, ended_at ${integer},
         CHECK (kept_id <> merged_id)`,
      ),
      `CREATE UNIQUE INDEX person_merges_once ON person_merges (merged_id) WHERE state = 'open'`,
      'CREATE INDEX person_merges_kept ON person_merges (kept_id, id)',
      `CREATE INDEX person_merges_end ON person_merges (undo_until) WHERE state = 'open'`,
      'ALTER TABLE consents ADD COLUMN terms TEXT',
      table(
        'consent_notices',
        `hash TEXT PRIMARY KEY NOT NULL, language TEXT NOT NULL, text TEXT NOT NULL, first_shown_at ${integer} NOT NULL`,
      ),
      table(
        'consent_records',
        `id TEXT PRIMARY KEY NOT NULL, person_id TEXT NOT NULL, client_id TEXT NOT NULL,
         act TEXT NOT NULL CHECK (act IN ('given', 'withdrawn', 'moved')), scopes TEXT NOT NULL, claims TEXT NOT NULL,
         purpose TEXT, legal_basis TEXT NOT NULL, notice_version TEXT, notice_hash TEXT, language TEXT, channel TEXT NOT NULL,
         at ${integer} NOT NULL`,
      ),
      'CREATE INDEX consent_records_person ON consent_records (person_id, id)',
      ...appendOnly(engine),
    ];
  },
};

/** What was consented to is never written over; only the end of the time it must be kept removes it. */
const appendOnly = (engine: Database['engine']): string[] =>
  engine === 'sqlite'
    ? [
        `CREATE TRIGGER consent_records_stay BEFORE UPDATE ON consent_records
          BEGIN SELECT RAISE(ABORT, 'consent records are never changed'); END`,
      ]
    : [
        `CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN RAISE EXCEPTION ''consent records are never changed''; END'`,
        `CREATE TRIGGER consent_records_stay BEFORE UPDATE ON consent_records
          FOR EACH ROW EXECUTE FUNCTION refuse_change()`,
      ];
