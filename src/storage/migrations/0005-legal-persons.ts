import type { Migration } from '../migration.ts';

/**
 * Legal persons, who stands for them, and mandates. The partial unique indexes are the judges between parallel requests and nodes:
 * one representative, one post a person, one waiting claim a person, one live mandate of the same content.
 */
export const legalPersons: Migration = {
  id: 5,
  name: 'legal-persons',
  statements: (engine) => {
    const bytes = engine === 'sqlite' ? 'BLOB' : 'BYTEA';
    const integer = engine === 'sqlite' ? 'INTEGER' : 'BIGINT';
    const strict = engine === 'sqlite' ? ' STRICT' : '';
    const table = (name: string, columns: string): string => `CREATE TABLE ${name} (${columns})${strict}`;
    return [
      ...companyTables(table, bytes, integer),
      ...claimTables(table, bytes, integer),
      ...mandateTables(table, bytes, integer),
    ];
  },
};

type Table = (name: string, columns: string) => string;

const companyTables = (table: Table, bytes: string, integer: string): string[] => [
  table(
    'legal_persons',
    `id TEXT PRIMARY KEY NOT NULL, uscc_index TEXT NOT NULL UNIQUE, uscc_sealed ${bytes} NOT NULL, name_sealed ${bytes} NOT NULL,
     category TEXT NOT NULL, status TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'deregistered')), suspended_cause TEXT,
     representative_key TEXT, checked_at ${integer}, created_at ${integer} NOT NULL, updated_at ${integer} NOT NULL`,
  ),
  table(
    'legal_person_posts',
    `id TEXT PRIMARY KEY NOT NULL, legal_person_id TEXT NOT NULL REFERENCES legal_persons (id),
     person_id TEXT NOT NULL REFERENCES persons (id), role TEXT NOT NULL CHECK (role IN ('legal_representative', 'administrator')),
     status TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'ended')), cause TEXT, appointed_by TEXT NOT NULL,
     created_at ${integer} NOT NULL, updated_at ${integer} NOT NULL`,
  ),
  `CREATE UNIQUE INDEX legal_person_posts_representative ON legal_person_posts (legal_person_id)
     WHERE role = 'legal_representative' AND status <> 'ended'`,
  `CREATE UNIQUE INDEX legal_person_posts_once ON legal_person_posts (legal_person_id, person_id) WHERE status <> 'ended'`,
  `CREATE INDEX legal_person_posts_person ON legal_person_posts (person_id) WHERE status <> 'ended'`,
];

const claimTables = (table: Table, bytes: string, integer: string): string[] => [
  table(
    'legal_person_claims',
    `id TEXT PRIMARY KEY NOT NULL, uscc_index TEXT NOT NULL, uscc_sealed ${bytes} NOT NULL, name_sealed ${bytes} NOT NULL,
     person_id TEXT NOT NULL REFERENCES persons (id), note_sealed ${bytes},
     status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'withdrawn')), created_at ${integer} NOT NULL,
     decided_at ${integer}`,
  ),
  `CREATE UNIQUE INDEX legal_person_claims_once ON legal_person_claims (uscc_index, person_id) WHERE status = 'pending'`,
  `CREATE INDEX legal_person_claims_queue ON legal_person_claims (id) WHERE status = 'pending'`,
  'CREATE INDEX legal_person_claims_person ON legal_person_claims (person_id, id)',
  table(
    'legal_person_claim_files',
    `id TEXT PRIMARY KEY NOT NULL, claim_id TEXT NOT NULL REFERENCES legal_person_claims (id), position ${integer} NOT NULL,
     name_sealed ${bytes} NOT NULL, media_type TEXT NOT NULL, size_bytes ${integer} NOT NULL, content_sealed ${bytes} NOT NULL`,
  ),
  'CREATE INDEX legal_person_claim_files_claim ON legal_person_claim_files (claim_id, position)',
  table(
    'legal_person_claim_reviews',
    `claim_id TEXT NOT NULL REFERENCES legal_person_claims (id), reviewer TEXT NOT NULL,
     decision TEXT NOT NULL CHECK (decision IN ('approve', 'reject')), reason_sealed ${bytes} NOT NULL, at ${integer} NOT NULL,
     PRIMARY KEY (claim_id, reviewer)`,
  ),
];

const LIVE = "status IN ('invited', 'active', 'suspended')";

const mandateTables = (table: Table, bytes: string, integer: string): string[] => [
  table(
    'mandates',
    `id TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('agent', 'guardian', 'relative')),
     legal_person_id TEXT REFERENCES legal_persons (id), represented_id TEXT REFERENCES persons (id),
     agent_person_id TEXT REFERENCES persons (id), agent_legal_person_id TEXT REFERENCES legal_persons (id),
     invitee_type TEXT, invitee_issuer TEXT, invitee_index TEXT, invitee_sealed ${bytes},
     matters TEXT NOT NULL, portals TEXT NOT NULL, valid_from ${integer} NOT NULL, valid_until ${integer} NOT NULL, acr_max TEXT,
     may_delegate ${integer} NOT NULL, parent_id TEXT REFERENCES mandates (id),
     status TEXT NOT NULL CHECK (status IN ('invited', 'active', 'suspended', 'revoked', 'expired', 'declined')), cause TEXT,
     suspended_by TEXT, granted_by TEXT NOT NULL, evidence_sealed ${bytes}, fingerprint TEXT NOT NULL, milestone_at ${integer},
     accepted_at ${integer}, created_at ${integer} NOT NULL, updated_at ${integer} NOT NULL,
     CHECK ((kind = 'agent') = (legal_person_id IS NOT NULL)), CHECK ((kind = 'agent') = (represented_id IS NULL))`,
  ),
  `CREATE UNIQUE INDEX mandates_fingerprint ON mandates (fingerprint) WHERE ${LIVE}`,
  'CREATE INDEX mandates_legal_person ON mandates (legal_person_id, id) WHERE legal_person_id IS NOT NULL',
  'CREATE INDEX mandates_represented ON mandates (represented_id, id) WHERE represented_id IS NOT NULL',
  `CREATE INDEX mandates_agent_acts ON mandates (agent_person_id) WHERE status = 'active' AND agent_person_id IS NOT NULL`,
  'CREATE INDEX mandates_agent ON mandates (agent_person_id, id) WHERE agent_person_id IS NOT NULL',
  'CREATE INDEX mandates_agent_company ON mandates (agent_legal_person_id, id) WHERE agent_legal_person_id IS NOT NULL',
  `CREATE INDEX mandates_invitee ON mandates (invitee_index) WHERE status = 'invited' AND invitee_index IS NOT NULL`,
  `CREATE INDEX mandates_end ON mandates (valid_until) WHERE ${LIVE}`,
  'CREATE INDEX mandates_parent ON mandates (parent_id) WHERE parent_id IS NOT NULL',
  'CREATE INDEX mandates_milestone ON mandates (milestone_at) WHERE milestone_at IS NOT NULL',
  table(
    'acting_uses',
    `id TEXT PRIMARY KEY NOT NULL, person_id TEXT NOT NULL, legal_person_id TEXT, represented_id TEXT, mandate_id TEXT,
     role TEXT NOT NULL, client_id TEXT NOT NULL, at ${integer} NOT NULL`,
  ),
  'CREATE INDEX acting_uses_legal_person ON acting_uses (legal_person_id, id) WHERE legal_person_id IS NOT NULL',
  'CREATE INDEX acting_uses_represented ON acting_uses (represented_id, id) WHERE represented_id IS NOT NULL',
  'CREATE INDEX acting_uses_person ON acting_uses (person_id, id)',
];
