/** Jobs of the night, and when a register last judged a person. `..._at` are epoch seconds. */
export interface ProofingTables {
  nightly_jobs: {
    name: string;
    fence: number;
    holder: string;
    lease_until_ms: number;
    place: string | null;
    handled: number;
    total: number;
    counts: string;
    started_at: number | null;
    finished_at: number | null;
  };
  person_checks: { person_id: string; checked_at: number; source: string; verdict: 'match' | 'mismatch' };
}
