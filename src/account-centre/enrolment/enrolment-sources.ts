import type { BlindIndex } from '../../crypto/blind-index.ts';
import type { Gate } from '../../defence/gate.ts';
import type { MessageQuota } from '../../delivery/message-quota.ts';
import type { Messages } from '../../delivery/messages.ts';
import type { Attempts } from '../../factors/attempts.ts';
import type { BoundFactors } from '../../factors/bound-factors.ts';
import type { OneTimeCodes } from '../../factors/one-time-code.ts';
import type { Passkeys } from '../../factors/passkeys/passkeys.ts';
import type { PasswordFactor } from '../../factors/password.ts';
import type { PasswordLengths } from '../../factors/password-policy.ts';
import type { Failures } from '../../ledger/flood.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { EnrolmentDrafts } from '../../people/enrolment-drafts.ts';
import type { Identifiers } from '../../people/identifiers.ts';
import type { Persons } from '../../people/persons.ts';
import type { IdentitySource } from '../../proofing/identity-source.ts';
import type { Counters } from '../../storage/counters.ts';
import type { Database } from '../../storage/database.ts';
import type { FormTokens } from '../../web/form-tokens.ts';
import type { Renderer } from '../../web/render.ts';

/** What the pages of enrolment work with. */
export interface EnrolmentSources {
  readonly database: Database;
  readonly persons: Persons;
  readonly identifiers: Identifiers;
  readonly drafts: EnrolmentDrafts;
  readonly passwords: PasswordFactor;
  readonly passkeys: Passkeys;
  readonly boundFactors: BoundFactors;
  readonly passwordPolicy: PasswordLengths;
  /** Words of the service that may not carry a password. */
  readonly contextWords: readonly string[];
  readonly population: IdentitySource;
  readonly codes: OneTimeCodes;
  /** Of sign-in: everything that is guessed at has its allowance there. */
  readonly attempts: Attempts;
  readonly codeMinutes: number;
  readonly messages: Messages;
  readonly messageQuota: MessageQuota;
  readonly wakeOutbox: () => void;
  readonly index: BlindIndex;
  readonly counters: Counters;
  readonly gate: Gate;
  readonly ledger: Ledger;
  readonly failures: Failures;
  readonly limits: { readonly registrationsPerAddress: number; readonly addressWindowSeconds: number };
  readonly draftSeconds: number;
  readonly renderer: Renderer;
  readonly formTokens: FormTokens;
  readonly origin: string;
  readonly secure: boolean;
  /** Where the demonstration shows the messages it sends. */
  readonly mailboxUrl: string | undefined;
  readonly recoverUrl: string | undefined;
}
