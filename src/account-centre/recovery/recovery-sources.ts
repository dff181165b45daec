import type { BlindIndex } from '../../crypto/blind-index.ts';
import type { Gate } from '../../defence/gate.ts';
import type { MessageQuota } from '../../delivery/message-quota.ts';
import type { Messages } from '../../delivery/messages.ts';
import type { Notices, ReachableAt } from '../../delivery/notices.ts';
import type { Attempts } from '../../factors/attempts.ts';
import type { OneTimeCodes } from '../../factors/one-time-code.ts';
import type { PasswordFactor } from '../../factors/password.ts';
import type { PasswordLengths } from '../../factors/password-policy.ts';
import type { RecoveryCodes } from '../../factors/recovery-codes.ts';
import type { Failures } from '../../ledger/flood.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { Identifiers } from '../../people/identifiers.ts';
import type { KnownDevices } from '../../people/known-devices.ts';
import type { Persons } from '../../people/persons.ts';
import type { Recoveries } from '../../people/recoveries.ts';
import type { TrustedDevices } from '../../people/trusted-devices.ts';
import type { IdentitySource } from '../../proofing/identity-source.ts';
import type { Database } from '../../storage/database.ts';
import type { FormTokens } from '../../web/form-tokens.ts';
import type { Renderer } from '../../web/render.ts';
import type { Visit } from '../doors.ts';

/** What the pages of recovery work with. */
export interface RecoverySources {
  readonly database: Database;
  readonly persons: Persons;
  readonly identifiers: Pick<Identifiers, 'resolve'>;
  readonly recoveries: Recoveries;
  readonly waitSeconds: number;
  readonly finishSeconds: number;
  readonly passwords: PasswordFactor;
  readonly passwordPolicy: PasswordLengths;
  readonly contextWords: readonly string[];
  readonly codes: OneTimeCodes;
  readonly codeMinutes: number;
  readonly recoveryCodes: RecoveryCodes;
  /** Undefined where nobody vouches for people: the way by the register is then closed for the moment. */
  readonly population: IdentitySource | undefined;
  /** Where a person has proven to be reached, over a channel that works here; it takes as long where there is no person or no such place. */
  readonly reachableAt: (personId: string | undefined) => Promise<ReachableAt | undefined>;
  readonly messages: Messages;
  readonly messageQuota: MessageQuota;
  readonly notices: Notices;
  readonly wakeOutbox: () => void;
  /** Of sign-in: a secret is guessed at here as there, so both draw on one allowance. */
  readonly attempts: Attempts;
  /** Before what costs a message or a look into a register. */
  readonly gate: Gate;
  /** Of recoveries begun: their own count for each number and device, and the count of addresses shared with sign-in. */
  readonly begins: Attempts;
  readonly trustedDevices: TrustedDevices;
  readonly devices: KnownDevices;
  /**
   * Factors a person signs in with beside the password. Recovery stands in for the password alone: whoever has another must prove
   * it as well, and until there is a page for that is sent to a counter (D12, D13).
   */
  readonly secondFactorsOf: (personId: string) => Promise<readonly string[]>;
  /** Ends every session of the person and tells the portals. */
  readonly endSessions: (personId: string, visit: Visit) => Promise<void>;
  readonly index: BlindIndex;
  readonly ledger: Ledger;
  readonly failures: Failures;
  readonly renderer: Renderer;
  readonly formTokens: FormTokens;
  readonly origin: string;
  readonly secure: boolean;
  readonly mailboxUrl: string | undefined;
}
