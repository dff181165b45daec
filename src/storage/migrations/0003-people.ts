import type { Migration } from '../migration.ts';

/**
 * People with several documents, with a network number and nothing in plain text, and with names to sign in by beside the document.
 * A document is `is_primary` when it stands for its person: one a person, written by people/held-documents.ts.
 */
export const people: Migration = {
  id: 3,
  name: 'people',
  statements: (engine) => [
    ...(engine === 'sqlite' ? rebuiltTables() : alteredTables()),
    'CREATE INDEX identity_documents_person ON identity_documents (person_id)',
    'CREATE UNIQUE INDEX identity_documents_primary ON identity_documents (person_id) WHERE is_primary = 1',
    'CREATE INDEX identity_documents_validity ON identity_documents (valid_to) WHERE valid_to IS NOT NULL',
    ...identifiersTable(engine === 'sqlite' ? 'INTEGER' : 'BIGINT', engine === 'sqlite' ? ' STRICT' : ''),
  ],
};

const STATUSES = "('active', 'disabled', 'frozen', 'closing', 'closed', 'merged')";
const LEVELS = 'verified_level IN (0, 1, 2, 3, 4)';

/** The value itself is a sealed column of the person; here stands only what it is found by. */
const identifiersTable = (integer: string, strict: string): string[] => [
  `CREATE TABLE sign_in_identifiers (type TEXT NOT NULL CHECK (type IN ('phone', 'email', 'user_name')),
    value_index TEXT NOT NULL, person_id TEXT NOT NULL REFERENCES persons (id), verified_by TEXT NOT NULL,
    bound_at ${integer} NOT NULL, PRIMARY KEY (type, value_index), UNIQUE (person_id, type))${strict}`,
];

/** Until now every account stood on one document, and its level was the document's. */
const ACCOUNT_LEVEL = '(SELECT p.ial FROM persons p WHERE p.id = d.person_id)';

const alteredTables = (): string[] => [
  'ALTER TABLE persons DROP CONSTRAINT persons_status_check',
  `ALTER TABLE persons ADD CONSTRAINT persons_status_check CHECK (status IN ${STATUSES})`,
  'ALTER TABLE persons ALTER COLUMN name_sealed DROP NOT NULL',
  'ALTER TABLE persons ADD COLUMN user_name_sealed BYTEA',
  'ALTER TABLE persons ADD COLUMN phone_verified_at BIGINT',
  'ALTER TABLE persons ADD COLUMN email_verified_at BIGINT',
  'DROP INDEX identity_documents_person',
  'ALTER TABLE identity_documents ADD COLUMN valid_from TEXT',
  'ALTER TABLE identity_documents ADD COLUMN valid_to TEXT',
  `ALTER TABLE identity_documents ADD COLUMN verified_level BIGINT NOT NULL DEFAULT 0 CHECK (${LEVELS})`,
  'ALTER TABLE identity_documents ADD COLUMN verified_at BIGINT',
  'ALTER TABLE identity_documents ADD COLUMN is_primary BIGINT NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1))',
  `UPDATE identity_documents d SET is_primary = 1, verified_level = ${ACCOUNT_LEVEL},
    verified_at = CASE WHEN verified_source IS NULL THEN NULL ELSE created_at END`,
];

/**
 * SQLite cannot loosen a constraint of a table that stands, nor drop a table others refer to while foreign keys are on, and they cannot be
 * switched off within a transaction. So every table that refers to persons is copied to refer to the new one; a renamed table takes
 * the references to it along.
 */
const rebuiltTables = (): string[] => [
  `CREATE TABLE persons_next (id TEXT PRIMARY KEY NOT NULL, status TEXT NOT NULL CHECK (status IN ${STATUSES}),
    ial INTEGER NOT NULL, name_sealed BLOB, phone_sealed BLOB, email_sealed BLOB, address_sealed BLOB,
    user_name_sealed BLOB, phone_verified_at INTEGER, email_verified_at INTEGER, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL) STRICT`,
  `INSERT INTO persons_next
    (id, status, ial, name_sealed, phone_sealed, email_sealed, address_sealed, created_at, updated_at)
    SELECT id, status, ial, name_sealed, phone_sealed, email_sealed, address_sealed, created_at, updated_at FROM persons`,
  ...rebuilt(
    'identity_documents',
    `id TEXT PRIMARY KEY NOT NULL, person_id TEXT NOT NULL REFERENCES persons_next (id), type TEXT NOT NULL,
     issuer TEXT NOT NULL, number_index TEXT NOT NULL, number_sealed BLOB NOT NULL, verified_source TEXT,
     created_at INTEGER NOT NULL, valid_from TEXT, valid_to TEXT,
     verified_level INTEGER NOT NULL DEFAULT 0 CHECK (${LEVELS}), verified_at INTEGER,
     is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)), UNIQUE (type, issuer, number_index)`,
    `SELECT d.id, d.person_id, d.type, d.issuer, d.number_index, d.number_sealed, d.verified_source, d.created_at, NULL,
     NULL, ${ACCOUNT_LEVEL}, CASE WHEN d.verified_source IS NULL THEN NULL ELSE d.created_at END, 1
     FROM identity_documents d`,
  ),
  ...rebuilt(
    'passwords',
    'person_id TEXT PRIMARY KEY NOT NULL REFERENCES persons_next (id), hash TEXT NOT NULL, changed_at INTEGER NOT NULL',
    'SELECT person_id, hash, changed_at FROM passwords',
  ),
  ...rebuilt(
    'known_devices',
    `device_digest TEXT NOT NULL, person_id TEXT NOT NULL REFERENCES persons_next (id), created_at INTEGER NOT NULL,
     seen_at INTEGER NOT NULL, PRIMARY KEY (device_digest, person_id)`,
    'SELECT device_digest, person_id, created_at, seen_at FROM known_devices',
  ),
  'CREATE INDEX known_devices_person ON known_devices (person_id)',
  'DROP TABLE persons',
  'ALTER TABLE persons_next RENAME TO persons',
];

const rebuilt = (name: string, columns: string, rows: string): string[] => [
  `CREATE TABLE ${name}_next (${columns}) STRICT`,
  `INSERT INTO ${name}_next ${rows}`,
  `DROP TABLE ${name}`,
  `ALTER TABLE ${name}_next RENAME TO ${name}`,
];
