/** Rows of legal persons, of who stands for them, and of mandates. `..._at`, `valid_...` are epoch seconds. */
export interface LegalPersonTables {
  /** Found by `uscc_index` alone; code and name are sealed. `representative_key` is the keyed digest of whom the register named last. */
  legal_persons: {
    id: string;
    uscc_index: string;
    uscc_sealed: Uint8Array;
    name_sealed: Uint8Array;
    category: string;
    status: 'active' | 'suspended' | 'deregistered';
    suspended_cause: string | null;
    representative_key: string | null;
    checked_at: number | null;
    created_at: number;
    updated_at: number;
  };
  /** A person stands at most once, and one person alone represents; rows that ended stay. */
  legal_person_posts: {
    id: string;
    legal_person_id: string;
    person_id: string;
    role: 'legal_representative' | 'administrator';
    status: 'active' | 'suspended' | 'ended';
    cause: string | null;
    appointed_by: string;
    created_at: number;
    updated_at: number;
  };
  legal_person_claims: {
    id: string;
    uscc_index: string;
    uscc_sealed: Uint8Array;
    name_sealed: Uint8Array;
    person_id: string;
    note_sealed: Uint8Array | null;
    status: 'pending' | 'approved' | 'rejected' | 'withdrawn';
    created_at: number;
    decided_at: number | null;
  };
  legal_person_claim_files: {
    id: string;
    claim_id: string;
    position: number;
    name_sealed: Uint8Array;
    media_type: string;
    size_bytes: number;
    content_sealed: Uint8Array;
  };
  legal_person_claim_reviews: {
    claim_id: string;
    reviewer: string;
    decision: 'approve' | 'reject';
    reason_sealed: Uint8Array;
    at: number;
  };
  /**
   * `agent`: for the legal person `legal_person_id`; `guardian`, `relative`: for the natural person `represented_id`. The agent is a
   * person, another legal person, or, until they accept, whoever holds the invited document. `matters` and `portals` are sorted
   * JSON lists. Of live rows no two have the same `fingerprint`.
   */
  mandates: {
    id: string;
    kind: 'agent' | 'guardian' | 'relative';
    legal_person_id: string | null;
    represented_id: string | null;
    agent_person_id: string | null;
    agent_legal_person_id: string | null;
    invitee_type: string | null;
    invitee_issuer: string | null;
    invitee_index: string | null;
    invitee_sealed: Uint8Array | null;
    matters: string;
    portals: string;
    valid_from: number;
    valid_until: number;
    acr_max: string | null;
    may_delegate: number;
    parent_id: string | null;
    status: 'invited' | 'active' | 'suspended' | 'revoked' | 'expired' | 'declined';
    cause: string | null;
    suspended_by: 'principal' | 'operator' | 'house' | null;
    granted_by: string;
    evidence_sealed: Uint8Array | null;
    fingerprint: string;
    milestone_at: number | null;
    accepted_at: number | null;
    created_at: number;
    updated_at: number;
  };
  /** Each time somebody was let into a portal for somebody else. */
  acting_uses: {
    id: string;
    person_id: string;
    legal_person_id: string | null;
    represented_id: string | null;
    mandate_id: string | null;
    role: string;
    client_id: string;
    at: number;
  };
}
