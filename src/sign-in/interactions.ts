import type { Context } from 'koa';
import type { LedgerEvent } from '../ledger/ledger.ts';
import type { RelyingPartyRecord } from '../relying-parties/schema.ts';
import type { Transaction } from '../storage/database.ts';
import type { Demand, RiskDemand } from './ceremony.ts';
import type { Proof } from './levels.ts';

/** One authorization request that waits for the citizen, as far as the ceremony needs to know it. */
export interface CeremonyRequest {
  readonly uid: string;
  /** What the protocol policy misses next: `login`, `select_account`, `choose_subject` or `consent`. */
  readonly prompt: string;
  /** The session is somebody else's than the portal asked for. */
  readonly expectsOther: boolean;
  readonly demand: Demand;
  /** What was proven for this request already. */
  readonly pending: Pending | undefined;
  readonly clientId: string;
  readonly redirectUri: string | undefined;
  readonly loginHint: string | undefined;
  readonly uiLocales: string | undefined;
  /** Who was signed in when the request arrived. */
  readonly startedBy: string | undefined;
  readonly missingScopes: readonly string[];
  readonly missingClaims: readonly string[];
  /** For whom consent is asked: `self`, or the reference of a subject; undefined where nobody can be acted for. */
  readonly actingAs: string | undefined;
}

/** Who has proven what for a request, before or after a session came of it. */
export interface Pending {
  readonly personId: string;
  readonly proofs: readonly Proof[];
  /** What the circumstances asked for when the first proof was given. */
  readonly risk: RiskDemand;
  /** They went on without the stronger sign-in the portal would have liked. */
  readonly waived: boolean;
}

/** A sign-in that is done: who, by what was proven for this request, and since when they are who they are (epoch seconds). */
export interface Login {
  readonly personId: string;
  readonly proofs: readonly Proof[];
  readonly at: number;
  readonly waived?: boolean;
}

/** What the page said on which a person consented. */
export interface ConsentNotice {
  readonly text: string;
  readonly language: string;
  readonly channel: 'web';
  /** What the portal says of itself, as registered now. */
  readonly terms: Pick<RelyingPartyRecord, 'purpose' | 'purpose#en' | 'legal_basis' | 'notice_version'>;
}

/** Whose session this browser holds now. */
export interface SignedInPerson {
  readonly personId: string;
  readonly sessionUid: string;
  /** What the session rests on. */
  readonly proofs: readonly Proof[];
  /** Epoch seconds of the proof of who it is. */
  readonly at: number;
  /** The portals of the session, by client_id. */
  readonly clients: readonly string[];
}

/**
 * The ceremony's door to the protocol: find the waiting request of this browser, and hand back what was proven or decided.
 * Each answer resolves with the address at which the protocol goes on; the same request goes on there before it is answered, and all of it
 * takes effect when its unit of work commits.
 */
export interface Interactions {
  /** `elsewhere`: this browser did not start it (V4, V53). `expired`: it is over. */
  find(ctx: Context, uid: string): Promise<CeremonyRequest | 'elsewhere' | 'expired'>;
  currentPerson(ctx: Context): Promise<SignedInPerson | undefined>;
  /** To be told when somebody has proven who they are, before anything follows from it: a proof takes its time, and what was looked up before it counts no more. */
  lookAnew(request: CeremonyRequest, personId: string): void;
  /** Keeps what was proven while more is asked; no session begins. `write` is committed with it. */
  hold(request: CeremonyRequest, pending: Pending, write?: (tx: Transaction) => Promise<void>): Promise<void>;
  /** `write` is committed together with the sign-in it belongs to. A session of the same person goes on under a new id (E1). */
  signedIn(request: CeremonyRequest, login: Login, write?: (tx: Transaction) => Promise<void>): Promise<string>;
  /**
   * The person whose session this browser holds has proven something again: the session goes on under a new id, and rests on these
   * proofs as well (E1). `write` is committed with it. False when the session is over, or not theirs.
   */
  provenAgain(ctx: Context, login: Login, write: (tx: Transaction) => Promise<void>): Promise<boolean>;
  /** The person signed in already was chosen to go on (`select_account`). */
  chose(request: CeremonyRequest): Promise<string>;
  /** `actingAs` is `self` or the reference of a subject of this person, checked by the caller; the protocol looks again. */
  choseSubject(request: CeremonyRequest, personId: string, actingAs: string): Promise<string>;
  /** Remembers the consent to what the person was shown, together with the ledger event that tells of it. */
  consented(request: CeremonyRequest, personId: string, event: LedgerEvent, notice: ConsentNotice): Promise<string>;
  refused(request: CeremonyRequest, error: string, description: string): Promise<string>;
}
