import type { BlindIndex } from '../crypto/blind-index.ts';
import type { MessageQuota } from '../delivery/message-quota.ts';
import type { Messages } from '../delivery/messages.ts';
import type { Notices } from '../delivery/notices.ts';
import type { Attempts } from '../factors/attempts.ts';
import type { BoundFactors } from '../factors/bound-factors.ts';
import type { Certificates } from '../factors/certificates/certificates.ts';
import type { FactorPolicies } from '../factors/factor-policies.ts';
import type { OneTimeCodes } from '../factors/one-time-code.ts';
import type { Passkeys } from '../factors/passkeys/passkeys.ts';
import type { PasswordFactor } from '../factors/password.ts';
import type { PasswordLengths } from '../factors/password-policy.ts';
import type { RecoveryCodes } from '../factors/recovery-codes.ts';
import type { ScanCodes } from '../factors/scan-codes.ts';
import type { TokenBinding } from '../factors/token-binding.ts';
import type { TokenStock } from '../factors/token-stock.ts';
import type { TotpEnrolment } from '../factors/totp-enrolment.ts';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import type { LegalPersons } from '../legal-persons/legal-persons.ts';
import type { Mandates } from '../legal-persons/mandates.ts';
import type { Matters } from '../legal-persons/matters.ts';
import type { Identifiers } from '../people/identifiers.ts';
import type { KnownDevices } from '../people/known-devices.ts';
import type { Closures } from '../people/lifecycle/closures.ts';
import type { Corrections } from '../people/lifecycle/corrections.ts';
import type { Merges } from '../people/lifecycle/merges.ts';
import type { Persons } from '../people/persons.ts';
import type { SignInPlaces } from '../people/sign-in-places.ts';
import type { TrustedDevices } from '../people/trusted-devices.ts';
import type { IdentitySource } from '../proofing/identity-source.ts';
import type { ConsentRecord } from '../relying-parties/consent-record.ts';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import type { Counters } from '../storage/counters.ts';
import type { Database } from '../storage/database.ts';
import type { FormTokens } from '../web/form-tokens.ts';
import type { Renderer } from '../web/render.ts';
import type { ProofDoors } from './proving.ts';
import type { TrailSource } from './trail-reading.ts';

/** From where a person does something, for the ledger. */
export type Visit = Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation'>;

/** A session as this page shows it. */
export interface AccountSession {
  readonly uid: string;
  readonly startedAt: number;
  readonly seenAt: number;
  readonly address: string | null;
  readonly userAgent: string | null;
  /** The portals it has opened, by client_id. */
  readonly clientIds: readonly string[];
}

/** What a person lets one portal see. */
export interface AccountConsent {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
  readonly grantedAt: number;
}

/** What a person says was not their doing: an entry of theirs, and where they say so from. */
export interface NotMeReport extends Visit {
  readonly personId: string;
  readonly seq: number;
  /** The portal the entry tells of. */
  readonly clientId: string | undefined;
}

/** What the account centre asks of the protocol room and the ledger; `app.ts` hands it in. */
export interface AccountDoors extends ProofDoors {
  sessions(personId: string): Promise<readonly AccountSession[]>;
  endSession(personId: string, uid: string, visit: Visit): Promise<boolean>;
  /** Ends every session but the one named. Resolves with how many there were. */
  endOtherSessions(personId: string, keptUid: string, visit: Visit): Promise<number>;
  /** After a change of password: ends every session but the one named, and what portals were granted beyond it. */
  endEverythingElse(personId: string, keptUid: string, visit: Visit): Promise<void>;
  consents(personId: string): Promise<readonly AccountConsent[]>;
  withdraw(personId: string, clientId: string, visit: Visit): Promise<void>;
  /** The ledger of consents, the newest first. */
  consentHistory(personId: string): Promise<readonly ConsentRecord[]>;
  /** What the ledger says about a person, to be shown to that person alone. */
  readonly ledgerReader: TrailSource;
  /** Freezes the account and ends everything opened with it; resolves with the number of the case. May be asked again. */
  reportNotMe(report: NotMeReport): Promise<string>;
  /** Where a browser without a session is sent: an authorization request of the account centre itself. */
  signInUrl(): string;
}

/** What carries codes and notices to people. */
export interface Reach {
  readonly messages: Messages;
  readonly messageQuota: MessageQuota;
  readonly codes: OneTimeCodes;
  /** How long a code holds. */
  readonly codeSeconds: number;
  /** Where the messages of a demonstration are read. */
  readonly mailboxUrl: string | undefined;
  wakeOutbox(): void;
}

export interface AccountCentreSources {
  readonly doors: AccountDoors;
  readonly persons: Persons;
  readonly relyingParties: RelyingParties;
  readonly renderer: Renderer;
  readonly formTokens: FormTokens;
  readonly ledger: Ledger;
  readonly origin: string;
  /** How old a proof may be for a sensitive change. */
  readonly freshProofSeconds: number;
  readonly closures: Closures;
  readonly closureCoolingDays: number;
  readonly merges: Merges;
  readonly corrections: Corrections;
  readonly exportsDaily: number;
  readonly mergeUndoDays: number;
  readonly passwords: PasswordFactor;
  readonly passwordPolicy: PasswordLengths;
  readonly database: Database;
  readonly notices: Notices;
  readonly counters: Counters;
  /** Of sign-in: everything that is guessed at has its allowance there. */
  readonly attempts: Attempts;
  readonly identifiers: Identifiers;
  readonly index: BlindIndex;
  readonly reach: Reach;
  readonly recoveryCodes: RecoveryCodes;
  readonly boundFactors: BoundFactors;
  readonly passkeys: Passkeys;
  readonly certificates: Certificates;
  readonly scanCodes: ScanCodes;
  /** How old the proof may be by which another screen is let in. */
  readonly scanProofSeconds: number;
  readonly trustedDevices: TrustedDevices;
  readonly places: Pick<SignInPlaces, 'of'>;
  readonly knownDevices: Pick<KnownDevices, 'list'>;
  /** Where an address is, as far as anybody has told us. */
  regionOf(address: string): string | undefined;
  readonly factorPolicies: FactorPolicies;
  readonly totpEnrolment: TotpEnrolment;
  readonly tokenBinding: TokenBinding;
  readonly tokenStock: Pick<TokenStock, 'isStocked'>;
  /** As an authenticator app names us. */
  readonly serviceName: Readonly<Record<'zh-CN' | 'en', string>>;
  readonly legalPersons: LegalPersons;
  readonly mandates: Mandates;
  readonly matters: Matters;
  readonly evidenceFileBytesMax: number;
  /** How long mandates last, in days. */
  readonly mandateDays: Readonly<Record<'agent' | 'relative', { readonly usual: number; readonly longest: number }>>;
  /** Undefined where none is configured. */
  readonly population: IdentitySource | undefined;
}
