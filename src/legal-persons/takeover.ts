import type { BlindIndex } from '../crypto/blind-index.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { representativeDigest } from '../proofing/legal-person-register.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Transaction } from '../storage/database.ts';
import { actorOf, type By } from './by.ts';
import type { CompanyRow } from './companies.ts';
import type { Posts } from './posts.ts';
import { reviveCompany, stopAll } from './suspension.ts';

export interface Takeover {
  readonly personId: string;
  readonly way: 'register' | 'review';
  /** The keyed digest of whom the register names; undefined where it was not asked, and its next answer is only remembered. */
  readonly representativeKey: string | undefined;
  readonly by: By;
}

/** `unchanged`: they represent it already. `replaced`: somebody else did until now, and everything that rested on them is stopped. */
export type TakeoverOutcome =
  | { readonly outcome: 'unchanged' | 'first' }
  | { readonly outcome: 'replaced'; readonly formerId: string };

const KEEP_KEY = `UPDATE legal_persons SET representative_key = $2, checked_at = $3, updated_at = $3 WHERE id = $1`;

/**
 * Makes a person the one legal representative, in a transaction that holds the row of the company. Whoever represented it before loses
 * the post, and all mandates are suspended: they were granted under somebody else (S: a change of representative voids them).
 */
export async function takeOver(
  tx: Transaction,
  { posts, ledger }: { readonly posts: Posts; readonly ledger: Ledger },
  row: CompanyRow,
  { personId, way, representativeKey, by }: Takeover,
): Promise<TakeoverOutcome> {
  await tx.run(KEEP_KEY, [row.id, representativeKey ?? null, nowSeconds()]);
  const standing = await posts.ofCompany(tx, row.id);
  const former = standing.find(({ role }) => role === 'legal_representative');
  const isSame = former?.personId === personId;
  if (isSame && former.status === 'active' && row.status === 'active') return { outcome: 'unchanged' };
  if (former !== undefined && !isSame) {
    await posts.end(tx, former, 'representative_changed', by);
    // A company that is stopped already has nothing left to stop.
    if (row.status === 'active') await stopAll(tx, ledger, row.id, { cause: 'representative_changed', by });
  }
  if (row.status !== 'active') await reviveCompany(tx, row);
  if (isSame) await posts.resume(tx, former, by);
  else {
    const own = standing.find((post) => post.personId === personId);
    if (own !== undefined) await posts.end(tx, own, 'became_representative', by);
    await posts.insert(tx, row.id, personId, 'legal_representative', by);
  }
  const replaced = former !== undefined && !isSame;
  const details = { legalPerson: row.id, way, replaced };
  await ledger.append(tx, { type: 'legal-person.claimed', ...actorOf(by), personId, details });
  return replaced ? { outcome: 'replaced', formerId: former.personId } : { outcome: 'first' };
}

/** As it is stored: the register's digest, keyed, for a number has too few possibilities. */
export const representativeKeyOf = (index: BlindIndex, uscc: string, digest: string): string =>
  index.name({ type: 'legal_representative', issuer: uscc, number: digest });

/** The same out of what somebody showed us. */
export const ownRepresentativeKey = (
  index: BlindIndex,
  uscc: string,
  document: { readonly documentType: string; readonly documentNumber: string },
): string => representativeKeyOf(index, uscc, representativeDigest(uscc, document));
