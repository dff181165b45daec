import type { Context } from 'koa';
import type { LedgerEvent } from '../ledger/ledger.ts';
import type { RelyingPartyRecord } from '../relying-parties/schema.ts';
import type { Transaction } from '../storage/database.ts';

/** One authorization request that waits for the citizen, as far as the ceremony needs to know it. */
export interface CeremonyRequest {
  readonly uid: string;
  /** What the protocol policy misses next: `login`, `select_account`, `choose_subject` or `consent`. */
  readonly prompt: string;
  readonly reasons: readonly string[];
  readonly clientId: string;
  readonly redirectUri: string | undefined;
  readonly loginHint: string | undefined;
  readonly uiLocales: string | undefined;
  /** The portal's `prompt` parameter, split. */
  readonly requestedPrompts: readonly string[];
  readonly maxAgeSeconds: number | undefined;
  /** Who was signed in when the request arrived. */
  readonly startedBy: string | undefined;
  readonly missingScopes: readonly string[];
  readonly missingClaims: readonly string[];
  /** For whom consent is asked: `self`, or the reference of a subject; undefined where nobody can be acted for. */
  readonly actingAs: string | undefined;
}

/** A proof of identity: who, by which methods (RFC 8176 names), at which level, when (epoch seconds). */
export interface Login {
  readonly personId: string;
  readonly amr: readonly string[];
  readonly acr: string;
  readonly at: number;
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
  readonly acr: string | undefined;
  readonly amr: readonly string[];
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
  /** `write` is committed together with the sign-in it belongs to. */
  signedIn(request: CeremonyRequest, login: Login, write?: (tx: Transaction) => Promise<void>): Promise<string>;
  /**
   * The person whose session this browser holds has proven again who they are: the session goes on under a new id, and its proof
   * is as young as `login` (E1). `write` is committed with it. False when the session is over, or not theirs.
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
