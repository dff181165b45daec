import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import type { Transaction } from '../storage/database.ts';
import type { Draft, EnrolmentDrafts } from './enrolment-drafts.ts';
import type { IdNumber } from './id-number.ts';
import type { Person, Persons } from './persons.ts';

/** `exists`: the document has an account; `stale`: the draft was changed, finished or forgotten meanwhile. Nothing was written then. */
export type EnrolmentOutcome =
  | { readonly state: 'opened'; readonly person: Person }
  | { readonly state: 'exists' | 'stale' };

export interface EnrolmentParts {
  readonly persons: Persons;
  readonly drafts: EnrolmentDrafts;
  readonly ledger: Ledger;
}

/** Name and number matched by the register, and a phone that answers. */
const LEVEL_MATCHED = 2;
/** Seen by a member of staff, with the card in hand. */
const LEVEL_COUNTER = 4;
const COUNTER = 'counter';

class StaleDraft extends Error {}

/**
 * Opens the account of a draft that has everything, and ends the draft, in one transaction with what `alongside` writes. Of two that
 * finish one draft, and of two drafts of one document, one opens an account.
 */
export async function openAccount(
  { persons, drafts, ledger }: EnrolmentParts,
  draft: Draft,
  from: Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation'> | undefined,
  alongside: (tx: Transaction, person: Person) => Promise<void> = () => Promise.resolve(),
): Promise<EnrolmentOutcome> {
  const { document, name, phone, source, act } = draft.content;
  const atCounter = draft.kind === 'counter';
  try {
    const added = await persons.add(
      {
        idNumber: document.number as IdNumber,
        name,
        phone,
        ial: atCounter ? LEVEL_COUNTER : LEVEL_MATCHED,
        origin: atCounter ? COUNTER : 'registration',
        ...(source === undefined ? {} : { verifiedSource: source }),
        ...(from === undefined ? {} : { from }),
      },
      async (tx, person) => {
        if (!(await drafts.end(tx, draft))) throw new StaleDraft();
        if (act !== undefined)
          await ledger.append(tx, { ...from, type: 'person.assisted', personId: person.id, details: { act } });
        await alongside(tx, person);
      },
    );
    return added.ok ? { state: 'opened', person: added.person } : { state: 'exists' };
  } catch (error) {
    if (error instanceof StaleDraft) return { state: 'stale' };
    throw error;
  }
}
