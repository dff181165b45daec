import type { Transaction } from '../storage/database.ts';

/** What people are told. The name of the company, or of the represented person, is all that is said of it. */
export type LegalNotice =
  | 'mandate_invited'
  | 'mandate_accepted'
  | 'mandate_declined'
  | 'mandate_suspended'
  | 'mandate_resumed'
  | 'mandate_revoked'
  | 'mandate_expired'
  | 'mandate_renewed'
  | 'ward_grows_up'
  | 'post_appointed'
  | 'post_ended'
  | 'company_suspended'
  | 'company_resumed'
  | 'claim_approved'
  | 'claim_rejected';

/**
 * Tells a person that something happened. Called in the transaction of what happened, so that whoever sends the message puts it into
 * an outbox there: people are told exactly of what was committed. `asPrincipal`: they are told as those who are acted for.
 */
export type Notify = (
  tx: Transaction,
  personId: string,
  notice: LegalNotice,
  about: { readonly name: string; readonly asPrincipal?: boolean },
) => Promise<void>;
