import type { Migration } from '../migration.ts';

/**
 * What several processes on one store need of one another. `offices`: who alone does a work, until when; written only by storage/office.ts.
 * PostgreSQL tells its listeners of every change of the stamp with the COMMIT that makes it; the payload names the schema, for a channel
 * belongs to the whole database. An engine without NOTIFY goes on without: everybody who listens also looks.
 */
export const manyProcesses: Migration = {
  id: 19,
  name: 'many-processes',
  statements: (engine) => {
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    const offices = `CREATE TABLE offices (name TEXT PRIMARY KEY NOT NULL, fence ${integer} NOT NULL,
      holder TEXT NOT NULL, lease_until_ms ${integer} NOT NULL)${strict}`;
    return engine === 'sqlite' ? [offices] : [offices, RAISE_AND_TELL];
  },
};

const RAISE_AND_TELL = `CREATE OR REPLACE FUNCTION raise_change_stamp() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN
    UPDATE change_stamp SET value = value + 1 WHERE id = 1;
    BEGIN
      PERFORM pg_notify(''tongban_changes'', current_schema()::text);
    EXCEPTION WHEN undefined_function OR feature_not_supported THEN
      NULL;
    END;
    RETURN NULL;
  END'`;
