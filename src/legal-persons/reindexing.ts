import type { BlindIndex } from '../crypto/blind-index.ts';
import { createIndexWalk } from '../crypto/reindexing.ts';
import type { Sealer } from '../crypto/sealing.ts';
import type { SecretRing } from '../crypto/secret-ring.ts';
import type { Database } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import type { RowWalk } from '../storage/row-walk.ts';
import { claimContext } from './claim-rows.ts';
import { usccIdentity } from './company-rows.ts';
import { companyContext } from './sealed-company.ts';

interface Row {
  readonly id: string;
  readonly uscc_index: string;
  readonly uscc_sealed: Uint8Array;
}

const COMPANIES = `SELECT ${UNJUDGED} id, uscc_index, uscc_sealed FROM legal_persons WHERE id > $1 ORDER BY id LIMIT $2`;
const CLAIMS = `SELECT ${UNJUDGED} id, uscc_index, uscc_sealed FROM legal_person_claims WHERE status = 'pending' AND id > $1
  ORDER BY id LIMIT $2`;

/** What companies are found by, and what tells two claims of one company from one another. */
export function companyIndexWalks(sources: {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ring: SecretRing;
}): readonly RowWalk[] {
  const { database, sealer, index, ring } = sources;
  const walk = (name: string, table: string, select: string, contextOf: (id: string) => string): RowWalk =>
    createIndexWalk({
      database,
      index,
      ring,
      name,
      table,
      family: 'company',
      async read(after, rowsMax) {
        const rows = await database.all<Row>(select, [after, rowsMax]);
        return {
          last: rows.length < rowsMax ? undefined : rows.at(-1)!.id,
          handled: rows.length,
          values: rows.map(({ id, uscc_index: digest, uscc_sealed: sealed }) => ({
            digest,
            document: () => usccIdentity(sealer.unseal(sealed, contextOf(id))),
          })),
        };
      },
    });
  return [
    walk('company-index', 'legal_persons', COMPANIES, (id) => companyContext('uscc_sealed', id)),
    walk('claim-index', 'legal_person_claims', CLAIMS, (id) => claimContext('uscc_sealed', id)),
  ];
}
