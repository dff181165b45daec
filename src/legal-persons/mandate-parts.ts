import type { BlindIndex } from '../crypto/blind-index.ts';
import type { Sealer } from '../crypto/sealing.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Persons } from '../people/persons.ts';
import type { Database } from '../storage/database.ts';
import type { ActingEnds } from './acting-ends.ts';
import type { Companies } from './companies.ts';
import type { TermLimits } from './mandate-terms.ts';
import type { Matters } from './matters.ts';
import type { Notify } from './notices.ts';
import type { Posts } from './posts.ts';

/** What everything about mandates is made of. */
export interface MandateParts {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
  readonly persons: Pick<Persons, 'find' | 'profile'>;
  readonly matters: Matters;
  readonly companies: Companies;
  readonly posts: Posts;
  readonly ends: ActingEnds;
  readonly notify: Notify;
  readonly settings: TermLimits;
}
