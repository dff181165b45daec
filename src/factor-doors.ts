import type { Sealer } from './crypto/sealing.ts';
import type { KeyFor } from './enrol-doors.ts';
import { type BoundFactors, createBoundFactors } from './factors/bound-factors.ts';
import { createFactorChallenges, type FactorChallenges } from './factors/factor-challenges.ts';
import { createFactorPolicies, type FactorPolicies } from './factors/factor-policies.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { Holdings } from './people/lifecycle/holdings.ts';
import type { Database } from './storage/database.ts';

/** What the factors of people are kept in. */
export interface FactorDoors {
  readonly boundFactors: BoundFactors;
  readonly factorChallenges: FactorChallenges;
  readonly factorPolicies: FactorPolicies;
}

export interface FactorSources {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly ledger: Ledger;
  readonly keyFor: KeyFor;
}

export function createFactorDoors({ database, sealer, ledger, keyFor }: FactorSources): FactorDoors {
  return {
    boundFactors: createBoundFactors({ database, sealer, ledger }),
    factorChallenges: createFactorChallenges({ database, sealer, key: keyFor('factor-challenges') }),
    factorPolicies: createFactorPolicies({ database, ledger }),
  };
}

/**
 * Factors never go over to another account: who proves the one with a password alone must not so get around the second factor that
 * guards it. Whoever wants to merge takes them off first, which asks for that very factor (D13).
 */
export const factorHoldings = ({ boundFactors, factorPolicies }: FactorDoors): Holdings => ({
  name: 'factors',
  async move(tx, { mergedId }) {
    const isGuarded =
      (await boundFactors.kindsOf(mergedId, tx)).size > 0 || (await factorPolicies.of(mergedId, tx)).alwaysAsk;
    return isGuarded ? { ok: false, reason: 'has_factors' } : { ok: true, moved: {}, counts: {} };
  },
  async moveBack() {
    return { ok: true };
  },
  async shred(tx, personId) {
    await boundFactors.shred(tx, personId);
    await tx.run('DELETE FROM factor_policies WHERE person_id = $1', [personId]);
  },
});
