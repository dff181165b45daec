import type { Context } from 'koa';
import type { Factor, FactorKind, FactorUse } from '../factors/factor.ts';
import type { Assertion } from '../factors/passkeys/passkey-form.ts';
import type { ChallengeBinding } from '../factors/signed-challenges.ts';
import type { UsableFactor } from '../web/factor-choice.ts';

/** What the key of a certificate has signed. */
export interface SignedAnswer {
  readonly challenge: string;
  readonly answer: string;
}

/**
 * What has to be proven again before something sensitive: who it is, or one of these second factors besides. `certificate`: that one was given a
 * moment ago and does not do alone, so the password is wanted beside it.
 */
export type Stale =
  | { readonly what: 'proof'; readonly beside?: 'certificate' }
  | { readonly what: 'second_factor'; readonly kinds: readonly FactorKind[] };

/** Who holds the session of this browser, and when they last proved it. */
export interface SignedIn {
  readonly personId: string;
  readonly sessionUid: string;
  /** Epoch seconds. */
  readonly at: number;
  /** Undefined when everything the account has was proven a moment ago. */
  readonly stale: Stale | undefined;
}

/** What came of a proof that counted, and what is still missing beside it. */
export interface ProvenAgain {
  readonly state: 'proven';
  readonly stale: Stale | undefined;
}

/** What came of proving again who one is. `ended`: the session was over by then. */
export type ProofOutcome =
  | ProvenAgain
  | {
      readonly state:
        | 'refused'
        | 'passkey_refused'
        | 'certificate_refused'
        | 'certificate_expired'
        | 'too_many'
        | 'busy'
        | 'ended';
    };

/** What came of a second factor. `astray`: the code after it is wanted as well. */
export type SecondProofOutcome = ProvenAgain | { readonly state: 'refused' | 'astray' | 'ended' };

/** What came of proving a second account. */
export type OtherProof =
  | { readonly state: 'proven'; readonly personId: string }
  | { readonly state: 'refused' | 'identifier_form' | 'too_many' | 'busy' };

/**
 * How somebody who is signed in proves again who they are. Each proof is counted and recorded like that of a sign-in, and gives the
 * session a new id.
 */
export interface ProofDoors {
  /** Whose session this browser holds; undefined when nobody is signed in. */
  currentPerson(ctx: Context): Promise<SignedIn | undefined>;
  proveAgain(ctx: Context, person: SignedIn, password: string): Promise<ProofOutcome>;
  /** The same with a passkey of theirs, asked for on this page. */
  provePasskey(ctx: Context, person: SignedIn, assertion: Assertion, bound: ChallengeBinding): Promise<ProofOutcome>;
  /** The same with a certificate of theirs. */
  proveCertificate(
    ctx: Context,
    person: SignedIn,
    signed: SignedAnswer,
    bound: ChallengeBinding,
  ): Promise<ProofOutcome>;
  /** The second factors this person can be asked for now; none unless that is what is stale. */
  secondFactors(person: SignedIn): Promise<readonly UsableFactor[]>;
  /** What a second factor is asked for: the person, their session and the page (`ticket`), in this browser (D11). */
  factorUse(ctx: Context, person: SignedIn, ticket: string): Promise<FactorUse>;
  proveSecond(
    ctx: Context,
    person: SignedIn,
    proof: { readonly factor: Factor; readonly use: FactorUse; readonly entered: Readonly<Record<string, string>> },
  ): Promise<SecondProofOutcome>;
  /** Proves that a second account is theirs as well; counted and recorded like a sign-in, and opens nothing. */
  proveOther(ctx: Context, person: SignedIn, identifier: string, password: string): Promise<OtherProof>;
}
