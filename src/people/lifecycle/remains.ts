import type { Ledger } from '../../ledger/ledger.ts';
import type { Openings } from '../../ledger/openings.ts';
import { nowSeconds } from '../../shared/clock.ts';
import type { Database } from '../../storage/database.ts';
import type { NightlyJob } from '../../storage/nightly-job.ts';

const DUE = `SELECT person_id, kind FROM person_remains WHERE keep_until <= $1 AND person_id > $2
  ORDER BY person_id LIMIT $3`;
const COUNT = 'SELECT count(*) AS total FROM person_remains WHERE keep_until <= $1';

export interface RemainsSources {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly openings: Openings;
}

/**
 * Lets go of what the law wanted kept of accounts that are no more: the key to what the ledger says of the person, and the records of
 * their consents. The entries stay, and every proof holds as before.
 */
export function createRemainsJob({ database, ledger, openings }: RemainsSources): NightlyJob {
  const erase = (personId: string, kind: string): Promise<boolean> =>
    database.write(async (tx) => {
      if ((await tx.run('DELETE FROM person_remains WHERE person_id = $1', [personId])) === 0) return false;
      await tx.run('DELETE FROM consent_records WHERE person_id = $1', [personId]);
      await openings.erase(tx, personId);
      const details = { origin: 'retention', reason: `account ${kind}` };
      await ledger.append(tx, { type: 'person.erased', actor: 'system', personId, details });
      return true;
    });
  return {
    name: 'remains',
    perSecond: 50,
    async count() {
      return Number((await database.get<{ total: number }>(COUNT, [nowSeconds()]))?.total ?? 0);
    },
    async step(cursor, limit) {
      const rows = await database.all<{ person_id: string; kind: string }>(DUE, [nowSeconds(), cursor ?? '', limit]);
      let erased = 0;
      for (const { person_id: personId, kind } of rows) if (await erase(personId, kind)) erased += 1;
      const last = rows.length < limit ? undefined : rows.at(-1)?.person_id;
      return { cursor: last, handled: rows.length, asked: rows.length, counts: { erased } };
    },
  };
}
