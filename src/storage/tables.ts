import type { Generated } from 'kysely';
import type { EnrolmentTables } from './tables/enrolment.ts';
import type { FactorTables } from './tables/factors.ts';
import type { LegalPersonTables } from './tables/legal-persons.ts';
import type { LifecycleTables } from './tables/lifecycle.ts';
import type { PeopleTables } from './tables/people.ts';
import type { ProofingTables } from './tables/proofing.ts';
import type { SubjectTables } from './tables/subject.ts';

/** Rows as the code sees them. `..._at` are epoch seconds; sealed columns are ciphertext (crypto/sealing.ts). */
export interface Tables
  extends EnrolmentTables,
    FactorTables,
    LegalPersonTables,
    LifecycleTables,
    PeopleTables,
    ProofingTables,
    SubjectTables {
  migrations: { id: number; name: string; applied_at: number };
  /** One row, id 1. Triggers raise it with every change of `relying_parties`, `keys` and `settings`; see `Database.changeStamp`. */
  change_stamp: { id: number; value: number };
  /** Who alone does a work, until when (office.ts). */
  offices: { name: string; fence: number; holder: string; lease_until_ms: number };
  settings: { name: string; value: string };
  passwords: { person_id: string; hash: string; changed_at: number; warned_at: number | null };
  earlier_passwords: { id: string; person_id: string; hash: string; ended_at: number };
  staff: {
    person_id: string;
    role: string;
    status: string;
    added_at: number;
    changed_at: number;
    account: string | null;
  };
  known_devices: { device_digest: string; person_id: string; created_at: number; seen_at: number };
  relying_parties: {
    client_id: string;
    record: string;
    secret_digest: string | null;
    status: 'active' | 'disabled';
    created_at: number;
    updated_at: number;
  };
  sessions: {
    uid: string;
    id_digest: string;
    account_id: string | null;
    payload: string;
    authorizations: string;
    expires_at: number;
    ended_at: number | null;
    started_at: number;
    seen_at: number;
    address: string | null;
    user_agent: string | null;
  };
  artifacts: {
    model: string;
    id: string;
    payload: string;
    grant_id: string | null;
    account_id: string | null;
    uid: string | null;
    user_code: string | null;
    expires_at: number;
    consumed_at: number | null;
  };
  consents: {
    person_id: string;
    client_id: string;
    scopes: string;
    claims: string;
    granted_at: number;
    updated_at: number;
    /** What the portal said of itself at the time (consent-terms.ts); null from before it was kept. */
    terms: string | null;
  };
  keys: {
    kid: string;
    purpose: string;
    alg: string;
    state: 'next' | 'current' | 'previous';
    public_jwk: string;
    private_sealed: Uint8Array;
    created_at: number;
    activated_at: number | null;
    retires_at: number | null;
  };
  counters: { name: string; value: number; expires_at: number };
  ledger_entries: LedgerRow & { seq: Generated<number> };
  /** PostgreSQL only: written, not yet numbered. */
  ledger_inbox: LedgerRow & { id: Generated<number> };
  ledger_tiles: { level: number; position: number; hashes: Uint8Array };
  /** One row, id 1. Written by the sequencer that holds the lease and knows the fence. */
  ledger_tree: { id: number; size: number; fence: number; holder: string; lease_until_ms: number };
  ledger_checkpoints: { size: number; at_ms: number; note: string };
  ledger_index: {
    kind: 'subject' | 'token' | 'address';
    key: string;
    seq: number;
    seqs: string | null;
    tokens: string | null;
  };
  ledger_subject_keys: { id: string; subject: string; key_sealed: Uint8Array; created_at: number };
  ledger_approvals: {
    id: string;
    action: string;
    parameters: string;
    proposed_by: string;
    proposed_at: number;
    reason: string;
    approved_by: string | null;
    approved_at: number | null;
    done_at: number | null;
  };
  follower_cursors: { name: string; next_seq: number; updated_at: number; state: string };
  feed_dead_letters: {
    id: string;
    feed: string;
    first_seq: number;
    last_seq: number;
    reason: string;
    at: number;
    replayed_at: number | null;
  };
  incidents: {
    id: string;
    rule: string;
    level: 'I' | 'II' | 'III' | 'IV';
    status: 'open' | 'handled' | 'closed';
    discovered_at: number;
    owner: string | null;
    affected_count: number;
    title: string;
    record: string;
    updated_at: number;
  };
  outbox: {
    id: string;
    topic: string;
    payload: string;
    state: 'waiting' | 'delivered' | 'dead';
    attempts: number;
    due_at: number;
    created_at: number;
    finished_at: number | null;
    last_error: string | null;
    order_key: string | null;
    occasion: string | null;
  };
}

/** One entry of the ledger: the text as hashed, the key an address is found by, and the sealed personal values behind its commitments. */
interface LedgerRow {
  entry: string;
  address_key: string | null;
  key_id: string | null;
  openings: Uint8Array | null;
}
