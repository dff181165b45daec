/** For whom a grant was made. `..._at` and `stands_until`, the end of the mandate, are epoch seconds. */
export interface SubjectTables {
  grant_subjects: {
    grant_id: string;
    person_id: string;
    client_id: string;
    session_uid: string;
    ref: string;
    legal_person_id: string | null;
    represented_id: string | null;
    mandate_id: string | null;
    role: string;
    chosen_at: number;
    stands_until: number | null;
    expires_at: number;
  };
}
