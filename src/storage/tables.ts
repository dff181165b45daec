import type { Generated } from 'kysely';

/** Rows as the code sees them. `..._at` are epoch seconds; sealed columns are ciphertext (crypto/sealing.ts). */
export interface Tables {
  migrations: { id: number; name: string; applied_at: number };
  /** One row, id 1. Triggers raise it with every change of `relying_parties`, `keys` and `settings`; see `Database.changeStamp`. */
  change_stamp: { id: number; value: number };
  settings: { name: string; value: string };
  persons: {
    id: string;
    status: 'active' | 'disabled';
    ial: number;
    name_sealed: Uint8Array;
    phone_sealed: Uint8Array | null;
    email_sealed: Uint8Array | null;
    address_sealed: Uint8Array | null;
    created_at: number;
    updated_at: number;
  };
  identity_documents: {
    id: string;
    person_id: string;
    type: string;
    issuer: string;
    number_index: string;
    number_sealed: Uint8Array;
    verified_source: string | null;
    created_at: number;
  };
  passwords: { person_id: string; hash: string; changed_at: number };
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
  ledger_events: {
    seq: Generated<number>;
    at_ms: number;
    type: string;
    outcome: 'success' | 'failure';
    person_id: string | null;
    client_id: string | null;
    session_uid: string | null;
    address: string | null;
    correlation: string | null;
    details: string;
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
  };
}
