import type { Holdings, MergePair, Moved } from '../people/lifecycle/holdings.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Transaction } from '../storage/database.ts';
import { recordMove } from './consent-records.ts';

interface ConsentRow {
  readonly client_id: string;
  readonly scopes: string;
  readonly claims: string;
  readonly granted_at: number;
  readonly terms: string | null;
}

const LIST =
  'SELECT client_id, scopes, claims, granted_at, terms FROM consents WHERE person_id = $1 ORDER BY client_id';
const INSERT = `INSERT INTO consents (person_id, client_id, scopes, claims, granted_at, updated_at, terms)
  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (person_id, client_id) DO NOTHING`;
const DELETE = 'DELETE FROM consents WHERE person_id = $1 AND client_id = $2';
const DELETE_ALL = 'DELETE FROM consents WHERE person_id = $1';

/** `at`: whether the kept account took it over, or had one of its own for the same portal. */
interface MovedConsent extends ConsentRow {
  readonly at: 'kept' | 'nobody';
}

const give = (tx: Transaction, personId: string, row: ConsentRow): Promise<number> =>
  tx.run(INSERT, [personId, row.client_id, row.scopes, row.claims, row.granted_at, nowSeconds(), row.terms]);

/** What a person let portals see. Of two consents for one portal that of the kept account counts: nothing is widened unasked. */
export const consentHoldings: Holdings = {
  name: 'consents',
  async move(tx, { keptId, mergedId }: MergePair) {
    const consents: MovedConsent[] = [];
    for (const row of await tx.all<ConsentRow>(LIST, [mergedId])) {
      const taken = (await give(tx, keptId, row)) === 1;
      if (taken) await recordMove(tx, keptId, row);
      consents.push({ ...row, at: taken ? 'kept' : 'nobody' });
    }
    await tx.run(DELETE_ALL, [mergedId]);
    const counts = { consents: consents.filter(({ at }) => at === 'kept').length };
    return { ok: true, moved: { consents }, counts };
  },
  async moveBack(tx, { keptId, mergedId }: MergePair, { consents }: Moved) {
    for (const one of consents as readonly MovedConsent[]) {
      // What was withdrawn meanwhile stays withdrawn.
      if (one.at === 'kept' && (await tx.run(DELETE, [keptId, one.client_id])) === 0) continue;
      await give(tx, mergedId, one);
      await recordMove(tx, mergedId, one);
    }
    return { ok: true };
  },
  async shred(tx, personId) {
    await tx.run(DELETE_ALL, [personId]);
  },
};
