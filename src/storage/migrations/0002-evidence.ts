import type { Migration } from '../migration.ts';

/**
 * The ledger and what follows it. Who writes what:
 * entries, inbox and subject keys: whoever changes something, in the transaction of the change; tiles, tree, checkpoints and index: the sequencer
 * alone, under its lease; cursors, dead letters and incidents: the watch.
 */
export const evidence: Migration = {
  id: 2,
  name: 'evidence',
  statements: (engine) => {
    const bytes = engine === 'sqlite' ? 'BLOB' : 'BYTEA';
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    const table = (name: string, columns: string): string => `CREATE TABLE ${name} (${columns})${strict}`;
    const keyed = (name: string, columns: string): string =>
      `${table(name, columns)}${engine === 'sqlite' ? ', WITHOUT ROWID' : ''}`;
    const written = `entry TEXT NOT NULL, address_key TEXT, key_id TEXT, openings ${bytes}`;
    return [
      table('ledger_entries', `seq ${integer} PRIMARY KEY, ${written}`),
      // SQLite has one writer: insertion order is commit order, and the row id is the number. PostgreSQL has many writers whose
      // order is known only after they have committed; there the sequencer numbers what lies here.
      ...(engine === 'postgres'
        ? [table('ledger_inbox', `id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ${written}`)]
        : []),
      keyed(
        'ledger_tiles',
        `level ${integer} NOT NULL, position ${integer} NOT NULL, hashes ${bytes} NOT NULL, PRIMARY KEY (level, position)`,
      ),
      table(
        'ledger_tree',
        `id ${integer} PRIMARY KEY NOT NULL CHECK (id = 1), size ${integer} NOT NULL, fence ${integer} NOT NULL, holder TEXT NOT NULL,
         lease_until_ms ${integer} NOT NULL`,
      ),
      "INSERT INTO ledger_tree (id, size, fence, holder, lease_until_ms) VALUES (1, 0, 0, '', 0)",
      table(
        'ledger_checkpoints',
        `size ${integer} PRIMARY KEY NOT NULL, at_ms ${integer} NOT NULL, note TEXT NOT NULL`,
      ),
      keyed(
        'ledger_index',
        `kind TEXT NOT NULL, key TEXT NOT NULL, seq ${integer} NOT NULL, PRIMARY KEY (kind, key, seq)`,
      ),
      table(
        'ledger_subject_keys',
        `id TEXT PRIMARY KEY NOT NULL, subject TEXT NOT NULL UNIQUE, key_sealed ${bytes} NOT NULL, created_at ${integer} NOT NULL`,
      ),
      table(
        'ledger_approvals',
        `id TEXT PRIMARY KEY NOT NULL, action TEXT NOT NULL, parameters TEXT NOT NULL, proposed_by TEXT NOT NULL,
         proposed_at ${integer} NOT NULL, reason TEXT NOT NULL, approved_by TEXT, approved_at ${integer}, done_at ${integer}`,
      ),
      ...watchTables(table, integer),
    ];
  },
};

const watchTables = (table: (name: string, columns: string) => string, integer: string): string[] => [
  table(
    'follower_cursors',
    `name TEXT PRIMARY KEY NOT NULL, next_seq ${integer} NOT NULL, updated_at ${integer} NOT NULL, state TEXT NOT NULL`,
  ),
  table(
    'feed_dead_letters',
    `id TEXT PRIMARY KEY NOT NULL, feed TEXT NOT NULL, first_seq ${integer} NOT NULL, last_seq ${integer} NOT NULL,
     reason TEXT NOT NULL, at ${integer} NOT NULL, replayed_at ${integer}`,
  ),
  'CREATE INDEX feed_dead_letters_feed ON feed_dead_letters (feed, first_seq)',
  table(
    'incidents',
    `id TEXT PRIMARY KEY NOT NULL, rule TEXT NOT NULL, level TEXT NOT NULL CHECK (level IN ('I', 'II', 'III', 'IV')),
     status TEXT NOT NULL CHECK (status IN ('open', 'handled', 'closed')), discovered_at ${integer} NOT NULL, owner TEXT,
     affected_count ${integer} NOT NULL, title TEXT NOT NULL, record TEXT NOT NULL, updated_at ${integer} NOT NULL`,
  ),
  'CREATE INDEX incidents_status ON incidents (status, discovered_at)',
];
