/** Rows of migration 4, as `Tables` takes them in. `..._at` are epoch seconds; `sealed` is JSON under crypto/sealing.ts. */
export interface EnrolmentTables {
  /** A message that waits: address, words and what they were made of. Gone as soon as it is delivered. */
  messages: { id: string; sealed: Uint8Array; expires_at: number };
  /** What the mailbox of demo and test has taken in. */
  mailbox: { id: string; sealed: Uint8Array; at: number };
  /** One code for each purpose and what it is bound to: a draft, a recovery. */
  one_time_codes: {
    purpose: string;
    binding: string;
    digest: string;
    attempts: number;
    sends: number;
    sent_at: number;
    expires_at: number;
    consumed_at: number | null;
  };
  /** `version` rises with every step: two that act on one version have one winner. */
  enrolment_drafts: {
    id: string;
    secret_digest: string;
    kind: 'self' | 'counter';
    step: string;
    version: number;
    number_index: string;
    sealed: Uint8Array;
    created_at: number;
    expires_at: number;
  };
  /** `person_id` is null where nobody was found: to a stranger both look the same. */
  recoveries: {
    id: string;
    secret_digest: string;
    person_id: string | null;
    route: 'proofing' | 'code';
    state: 'begun' | 'waiting' | 'completed' | 'cancelled';
    created_at: number;
    waits_until: number;
    expires_at: number;
    /** Since migration 14: null in what was begun before. */
    account: string | null;
  };
  recovery_codes: { person_id: string; digest: string; made_at: number; used_at: number | null };
}
