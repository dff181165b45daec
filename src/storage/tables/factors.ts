/** Rows of migration 11, as `Tables` takes them in. `..._at` are epoch seconds. */
export interface FactorTables {
  /** `person_id` and `bound_at` are null for a hardware token in stock. `external_key` is unique for its kind. */
  bound_factors: {
    id: string;
    person_id: string | null;
    kind: string;
    label_sealed: Uint8Array;
    secret_sealed: Uint8Array;
    state: string;
    external_key: string | null;
    created_at: number;
    bound_at: number | null;
    last_used_at: number | null;
  };
  /** `id` is a keyed digest of all a challenge is bound to. */
  factor_challenges: { id: string; sealed: Uint8Array; expires_at: number; taken_at: number | null };
  /** What a person demands of their own sign-ins. No row: nothing beyond what portals and the house demand. */
  factor_policies: { person_id: string; always_ask: number; changed_at: number };
}
