/** Rows about natural persons; see tables.ts. */
export interface PeopleTables {
  persons: {
    id: string;
    status: 'active' | 'disabled' | 'frozen' | 'closing' | 'closed' | 'merged';
    ial: number;
    /** Null for a person who gave no plaintext identity. */
    name_sealed: Uint8Array | null;
    phone_sealed: Uint8Array | null;
    email_sealed: Uint8Array | null;
    address_sealed: Uint8Array | null;
    user_name_sealed: Uint8Array | null;
    /** Set while the phone, or mailbox, is bound as a name to sign in by. */
    phone_verified_at: number | null;
    email_verified_at: number | null;
    created_at: number;
    updated_at: number;
    /** Of a disabled account: what it was before, and becomes again. */
    status_before: 'active' | 'frozen' | 'closing' | null;
    /** Birthdays still to come, midnight in China: the 14th, and the next of the 14th, 16th and 18th. */
    fourteen_at: number | null;
    milestone_at: number | null;
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
    /** Days as the document prints them, `YYYY-MM-DD`. */
    valid_from: string | null;
    valid_to: string | null;
    verified_level: number;
    verified_at: number | null;
    /** One a person: the document that stands for them. */
    is_primary: number;
  };
  sign_in_identifiers: {
    type: 'phone' | 'email' | 'user_name';
    value_index: string;
    person_id: string;
    verified_by: string;
    bound_at: number;
  };
  /** SQLite only. Written by triggers alone, with no seal; people/found-people.ts seals what they wrote. */
  found_people: {
    digest: string;
    person_id: string;
    status: PeopleTables['persons']['status'];
    ial: number;
    fourteen_at: number | null;
    row_seal: Uint8Array | null;
  };
}
