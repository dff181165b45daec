import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { KEPT } from '../storage/guarded-statements.ts';
import type { FactorChange } from './bound-factors.ts';

/** What a person demands of their own sign-ins, beyond what portals and the house demand. */
export interface FactorPolicy {
  /** Asked for a second factor at each sign-in, whatever the portal wants. */
  readonly alwaysAsk: boolean;
}

export interface FactorPolicies {
  of(personId: string, connection?: Connection): Promise<FactorPolicy>;
  /** With its ledger event; nothing is written when it is so already. */
  set(tx: Transaction, personId: string, policy: FactorPolicy, change: FactorChange): Promise<void>;
}

const FIND = `SELECT always_ask FROM factor_policies WHERE person_id = $1 ${KEPT}`;
const SET = `INSERT INTO factor_policies (person_id, always_ask, changed_at) VALUES ($1, $2, $3)
  ON CONFLICT (person_id) DO UPDATE SET always_ask = excluded.always_ask, changed_at = excluded.changed_at`;

export function createFactorPolicies({
  database,
  ledger,
}: {
  readonly database: Database;
  readonly ledger: Ledger;
}): FactorPolicies {
  const of = async (personId: string, connection: Connection = database): Promise<FactorPolicy> => ({
    alwaysAsk: (await connection.get<{ always_ask: number }>(FIND, [personId]))?.always_ask === 1,
  });
  return {
    of,
    async set(tx, personId, { alwaysAsk }, { origin, ...from }) {
      if ((await of(personId, tx)).alwaysAsk === alwaysAsk) return;
      await tx.run(SET, [personId, alwaysAsk ? 1 : 0, nowSeconds()]);
      const details = { origin, alwaysAsk: alwaysAsk ? 'yes' : 'no' };
      await ledger.append(tx, { ...from, type: 'factor.policy-changed', personId, details });
    },
  };
}
