import type { Sealer } from '../../crypto/sealing.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { PROOFS } from '../../proofing/levels.ts';
import { nowSeconds } from '../../shared/clock.ts';
import type { Transaction } from '../../storage/database.ts';
import type { Asked } from '../held-documents.ts';
import { personContext } from '../person.ts';
import type { PersonLevels } from '../person-level.ts';

/** `before` is missing where none was given. The register `source` has vouched for `after` and the number of the document. */
export interface Correction {
  readonly before: string | undefined;
  readonly after: string;
  readonly documentId: string;
  readonly source: string;
}

/** Corrects the name of a person after a register has vouched for the new one. */
export interface Corrections {
  correct(personId: string, correction: Correction, asked: Asked): Promise<void>;
}

export interface CorrectionSources {
  readonly sealer: Sealer;
  readonly ledger: Ledger;
  readonly levels: Pick<PersonLevels, 'setLevel'>;
  readonly tell: (tx: Transaction, personId: string) => Promise<void>;
}

const RENAME = 'UPDATE persons SET name_sealed = $1, updated_at = $2 WHERE id = $3';
const VOUCHED = `UPDATE identity_documents SET verified_level = $1, verified_source = $2, verified_at = $3
  WHERE id = $4 AND person_id = $5`;
/** What other documents proved, they proved of somebody of the old name. */
const OTHERS = `UPDATE identity_documents SET verified_level = $1 WHERE person_id = $2 AND id <> $3 AND verified_level > $1`;

export function createCorrections({ sealer, ledger, levels, tell }: CorrectionSources): Corrections {
  const ial = PROOFS['two-factor-match'];
  return {
    async correct(personId, { before, after, documentId, source }, { origin, actor: _person, ...from }) {
      await levels.setLevel(personId, { ...from, origin, ial, reason: 'corrected', source }, async (tx) => {
        const now = nowSeconds();
        await tx.run(RENAME, [sealer.seal(after, personContext('name_sealed', personId)), now, personId]);
        await tx.run(VOUCHED, [ial, source, now, documentId, personId]);
        await tx.run(OTHERS, [PROOFS['well-formed'], personId, documentId]);
        const details = { origin, ...(before === undefined ? {} : { before }), after, level: ial, source };
        await ledger.append(tx, { ...from, type: 'person.corrected', personId, details });
        await tell(tx, personId);
      });
    },
  };
}
