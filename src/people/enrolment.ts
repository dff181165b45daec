import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import { type AssuranceLevel, PROOFS } from '../proofing/levels.ts';
import type { Transaction } from '../storage/database.ts';
import type { Draft, EnrolmentDrafts } from './enrolment-drafts.ts';
import { parseIdentifier } from './identifiers/identifier.ts';
import type { Identifiers } from './identifiers.ts';
import type { Person } from './person.ts';
import type { Persons } from './persons.ts';

/** `exists`: the document has an account; `stale`: the draft was changed, finished or forgotten meanwhile. Nothing was written then. */
export type EnrolmentOutcome =
  | { readonly state: 'opened'; readonly person: Person }
  | { readonly state: 'exists' | 'stale' };

export interface EnrolmentParts {
  readonly persons: Pick<Persons, 'add' | 'forget'>;
  readonly identifiers: Pick<Identifiers, 'bindIn'>;
  readonly drafts: EnrolmentDrafts;
  readonly ledger: Ledger;
}

/** How an account comes about: by the person alone, or at a counter, where a member of staff has the card in hand. */
const WAYS = {
  self: { ial: PROOFS['two-factor-match'], origin: 'registration' },
  counter: { ial: PROOFS.counter, origin: 'counter' },
} as const satisfies Record<Draft['kind'], { readonly ial: AssuranceLevel; readonly origin: string }>;

const VERIFIED_BY = 'one_time_code';

class StaleDraft extends Error {}

/**
 * Opens the account of a draft that has everything, binds its phone and ends the draft, in one transaction with what `alongside`
 * writes. Of two that finish one draft, and of two drafts of one document, one opens an account.
 */
export async function openAccount(
  { persons, identifiers, drafts, ledger }: EnrolmentParts,
  draft: Draft,
  from: Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation'> | undefined,
  alongside: (tx: Transaction, person: Person) => Promise<void> = () => Promise.resolve(),
): Promise<EnrolmentOutcome> {
  const { document, name, phone = '', source, act } = draft.content;
  const { ial, origin } = WAYS[draft.kind];
  const parsed = parseIdentifier('phone', phone);
  let left: string | undefined;
  try {
    const added = await persons.add(
      {
        document,
        name,
        ial,
        origin,
        ...(source === undefined ? {} : { verifiedSource: source }),
        ...(from === undefined ? {} : { from }),
      },
      async (tx, person) => {
        if (!(await drafts.end(tx, draft))) throw new StaleDraft();
        if (act !== undefined)
          await ledger.append(tx, { ...from, type: 'person.assisted', personId: person.id, details: { act } });
        if (parsed.ok) {
          const proof = { ...from, origin, verifiedBy: VERIFIED_BY };
          const bound = await identifiers.bindIn(tx, person.id, parsed.identifier, proof);
          left = bound.ok ? bound.left : undefined;
        }
        await alongside(tx, person);
      },
    );
    if (!added.ok) return { state: 'exists' };
    persons.forget(added.person.id);
    if (left !== undefined) persons.forget(left);
    return { state: 'opened', person: added.person };
  } catch (error) {
    if (error instanceof StaleDraft) return { state: 'stale' };
    throw error;
  }
}
