import type { Migration } from '../migration.ts';

/** Tables whose rows are read with nearly every request and changed by administrators: worth caching, so changes are stamped. */
const STAMPED_TABLES = ['relying_parties', 'keys', 'settings'] as const;

export const foundation: Migration = {
  id: 1,
  name: 'foundation',
  statements: (engine) => {
    const bytes = engine === 'sqlite' ? 'BLOB' : 'BYTEA';
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    // SQLite takes a text in an integer column unless told otherwise.
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    const table = (name: string, columns: string): string => `CREATE TABLE ${name} (${columns})${strict}`;
    return [
      ...peopleTables(table, bytes, integer),
      ...protocolTables(table, bytes, integer),
      table(
        'outbox',
        `id TEXT PRIMARY KEY NOT NULL, topic TEXT NOT NULL, payload TEXT NOT NULL,
         state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')), attempts ${integer} NOT NULL,
         due_at ${integer} NOT NULL, created_at ${integer} NOT NULL, finished_at ${integer}, last_error TEXT`,
      ),
      'CREATE INDEX outbox_due ON outbox (state, due_at)',
      table('change_stamp', `id ${integer} PRIMARY KEY NOT NULL CHECK (id = 1), value ${integer} NOT NULL`),
      'INSERT INTO change_stamp (id, value) VALUES (1, 1)',
      ...(engine === 'sqlite' ? sqliteStamps() : postgresStamps()),
    ];
  },
};

type Table = (name: string, columns: string) => string;

const peopleTables = (table: Table, bytes: string, integer: string): string[] => [
  table('settings', 'name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL'),
  table(
    'persons',
    `id TEXT PRIMARY KEY NOT NULL, status TEXT NOT NULL CHECK (status IN ('active', 'disabled', 'frozen')),
     ial ${integer} NOT NULL, name_sealed ${bytes} NOT NULL, phone_sealed ${bytes}, email_sealed ${bytes},
     address_sealed ${bytes}, created_at ${integer} NOT NULL, updated_at ${integer} NOT NULL`,
  ),
  table(
    'identity_documents',
    `id TEXT PRIMARY KEY NOT NULL, person_id TEXT NOT NULL REFERENCES persons (id), type TEXT NOT NULL,
     issuer TEXT NOT NULL, number_index TEXT NOT NULL, number_sealed ${bytes} NOT NULL, verified_source TEXT,
     created_at ${integer} NOT NULL, UNIQUE (type, issuer, number_index)`,
  ),
  'CREATE INDEX identity_documents_person ON identity_documents (person_id)',
  table(
    'passwords',
    `person_id TEXT PRIMARY KEY NOT NULL REFERENCES persons (id), hash TEXT NOT NULL, changed_at ${integer} NOT NULL`,
  ),
  table(
    'known_devices',
    `device_digest TEXT NOT NULL, person_id TEXT NOT NULL REFERENCES persons (id), created_at ${integer} NOT NULL,
     seen_at ${integer} NOT NULL, PRIMARY KEY (device_digest, person_id)`,
  ),
  'CREATE INDEX known_devices_person ON known_devices (person_id)',
  table(
    'consents',
    `person_id TEXT NOT NULL, client_id TEXT NOT NULL, scopes TEXT NOT NULL, claims TEXT NOT NULL,
     granted_at ${integer} NOT NULL, updated_at ${integer} NOT NULL, PRIMARY KEY (person_id, client_id)`,
  ),
];

const protocolTables = (table: Table, bytes: string, integer: string): string[] => [
  table(
    'relying_parties',
    `client_id TEXT PRIMARY KEY NOT NULL, record TEXT NOT NULL, secret_digest TEXT,
     status TEXT NOT NULL CHECK (status IN ('active', 'disabled')), created_at ${integer} NOT NULL,
     updated_at ${integer} NOT NULL`,
  ),
  table(
    'sessions',
    `uid TEXT PRIMARY KEY NOT NULL, id_digest TEXT NOT NULL UNIQUE, account_id TEXT, payload TEXT NOT NULL,
     authorizations TEXT NOT NULL, expires_at ${integer} NOT NULL, ended_at ${integer}, started_at ${integer} NOT NULL,
     seen_at ${integer} NOT NULL, address TEXT, user_agent TEXT`,
  ),
  'CREATE INDEX sessions_account ON sessions (account_id) WHERE account_id IS NOT NULL',
  'CREATE INDEX sessions_expiry ON sessions (expires_at)',
  table(
    'artifacts',
    `model TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, grant_id TEXT, account_id TEXT, uid TEXT,
     user_code TEXT, expires_at ${integer} NOT NULL, consumed_at ${integer}, PRIMARY KEY (model, id)`,
  ),
  'CREATE INDEX artifacts_grant ON artifacts (grant_id) WHERE grant_id IS NOT NULL',
  'CREATE INDEX artifacts_account ON artifacts (account_id, model) WHERE account_id IS NOT NULL',
  'CREATE INDEX artifacts_uid ON artifacts (uid, model) WHERE uid IS NOT NULL',
  'CREATE INDEX artifacts_user_code ON artifacts (user_code, model) WHERE user_code IS NOT NULL',
  'CREATE INDEX artifacts_expiry ON artifacts (expires_at)',
  table(
    'keys',
    `kid TEXT PRIMARY KEY NOT NULL, purpose TEXT NOT NULL, alg TEXT NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('next', 'current', 'previous')), public_jwk TEXT NOT NULL,
     private_sealed ${bytes} NOT NULL, created_at ${integer} NOT NULL, activated_at ${integer}, retires_at ${integer}`,
  ),
  table('counters', `name TEXT PRIMARY KEY NOT NULL, value ${integer} NOT NULL, expires_at ${integer} NOT NULL`),
  'CREATE INDEX counters_expiry ON counters (expires_at)',
];

const sqliteStamps = (): string[] =>
  STAMPED_TABLES.flatMap((name) =>
    ['INSERT', 'UPDATE', 'DELETE'].map(
      (event) => `CREATE TRIGGER ${name}_stamp_${event.toLowerCase()} AFTER ${event} ON ${name}
        BEGIN UPDATE change_stamp SET value = value + 1 WHERE id = 1; END`,
    ),
  );

const postgresStamps = (): string[] => [
  `CREATE FUNCTION raise_change_stamp() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN UPDATE change_stamp SET value = value + 1 WHERE id = 1; RETURN NULL; END'`,
  ...STAMPED_TABLES.map(
    (name) => `CREATE TRIGGER ${name}_stamp AFTER INSERT OR UPDATE OR DELETE ON ${name}
      FOR EACH STATEMENT EXECUTE FUNCTION raise_change_stamp()`,
  ),
];
