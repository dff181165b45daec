/** Rows about how accounts end, go over into one another, and what people consented to. `..._at` are epoch seconds. */
export interface LifecycleTables {
  /** Regions a person has signed in from (people/sign-in-places.ts). Degrees as text: no part of the house computes with them in SQL. */
  sign_in_places: { person_id: string; region: string; latitude: string; longitude: string; seen_at: number };
  /** Somebody asked to be forgotten; gone when they changed their mind, and when it was done. `held_at`: it could not be done in time. */
  person_closures: { person_id: string; asked_at: number; due_at: number; held_at: number | null };
  /** What is left of an account that is no more: the key of the ledger and the consent records, until the law lets them go. */
  person_remains: { person_id: string; kind: 'closed' | 'merged'; ended_at: number; keep_until: number };
  /** `record_sealed` says what went over, so that it can come back; gone as soon as it cannot. */
  person_merges: {
    id: string;
    kept_id: string;
    merged_id: string;
    state: 'open' | 'undone' | 'final';
    record_sealed: Uint8Array | null;
    merged_at: number;
    undo_until: number;
    ended_at: number | null;
  };
  /** What a page said when somebody consented, once for each wording. */
  consent_notices: { hash: string; language: string; text: string; first_shown_at: number };
  /** Append-only: what a person let a portal see, and when they took it back. `scopes` and `claims` are JSON lists. */
  consent_records: {
    id: string;
    person_id: string;
    client_id: string;
    act: 'given' | 'withdrawn' | 'moved';
    scopes: string;
    claims: string;
    purpose: string | null;
    legal_basis: string;
    notice_version: string | null;
    notice_hash: string | null;
    language: string | null;
    channel: string;
    at: number;
  };
}
