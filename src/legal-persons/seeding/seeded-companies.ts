import type { BlindIndex } from '../../crypto/blind-index.ts';
import type { Sealer } from '../../crypto/sealing.ts';
import { nowSeconds } from '../../shared/clock.ts';
import { newId } from '../../shared/ids.ts';
import type { Transaction } from '../../storage/database.ts';
import { insertRows, type RowValues } from '../../storage/row-shape.ts';
import { nameOf } from '../by.ts';
import { COMPANY_ROW, companyRow, POST_ROW, postRow } from '../company-rows.ts';
import { syntheticCompany } from './synthetic-companies.ts';

/** Rows of companies and of those who represent them, ready to be written. */
export interface SeededCompanies {
  readonly companies: readonly RowValues[];
  readonly posts: readonly RowValues[];
}

/** Makes the rows of the companies at some places; each has its legal representative. Writes nothing. */
export function makeCompanies(
  keys: { readonly sealer: Sealer; readonly index: BlindIndex },
  at: readonly { readonly place: number; readonly representativeId: string }[],
): SeededCompanies {
  const now = nowSeconds();
  const made = at.map(({ place, representativeId }) => {
    const id = newId('lgp');
    const post = { id: newId('pst'), legalPersonId: id, personId: representativeId, appointedBy: nameOf('house') };
    return {
      company: companyRow(keys, { id, ...syntheticCompany(place), now }),
      post: postRow({ ...post, role: 'legal_representative', now }),
    };
  });
  return { companies: made.map(({ company }) => company), posts: made.map(({ post }) => post) };
}

export async function insertCompanies(tx: Transaction, { companies, posts }: SeededCompanies): Promise<void> {
  await insertRows(tx, COMPANY_ROW, companies);
  await insertRows(tx, POST_ROW, posts);
}
