import type { Migration } from '../migration.ts';

/**
 * What was read as a whole to find a few rows: deliveries and places that are old enough to go, claims long decided, tokens in stock, and accounts
 * that went over into others. Each may have been built by hand before, without holding up writers.
 */
export const foundInTime: Migration = {
  id: 21,
  name: 'found-in-time',
  statements: () => [
    "CREATE INDEX IF NOT EXISTS outbox_finished ON outbox (finished_at) WHERE state IN ('delivered', 'dead')",
    'CREATE INDEX IF NOT EXISTS sign_in_places_seen ON sign_in_places (seen_at)',
    'CREATE INDEX IF NOT EXISTS legal_person_claims_decided ON legal_person_claims (decided_at) WHERE decided_at IS NOT NULL',
    'CREATE INDEX IF NOT EXISTS bound_factors_stock ON bound_factors (kind) WHERE person_id IS NULL',
    'CREATE INDEX IF NOT EXISTS person_merges_merged ON person_merges (merged_id)',
  ],
};
