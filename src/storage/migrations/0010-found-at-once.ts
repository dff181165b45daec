import type { Migration } from '../migration.ts';

/**
 * Who is meant at sign-in, out of indexes alone: an index of SQLite leads to a row by a second walk through the table, and of a million people
 * no page of either is near. PostgreSQL keeps its rows in a heap, one step from the index.
 */
export const foundAtOnce: Migration = {
  id: 10,
  name: 'found-at-once',
  statements: (engine) =>
    engine === 'sqlite'
      ? [
          'CREATE INDEX identity_documents_found ON identity_documents (number_index, type, issuer, person_id)',
          'CREATE INDEX persons_found ON persons (id, status, ial, updated_at, fourteen_at)',
          'CREATE INDEX sign_in_identifiers_found ON sign_in_identifiers (value_index, type, person_id)',
        ]
      : [],
};
