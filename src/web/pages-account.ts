import type { DocumentType } from '../people/documents/document.ts';
import type { IdentifierRefusal, IdentifierType } from '../people/identifiers/identifier.ts';
import type { FormView, PasskeyView, PortalView, TrailDay } from './pages.ts';
import type { FactorDone, FactorsView } from './pages-factors.ts';
import type { FactorChoice, FactorName, SecondFactorProblem } from './pages-ladder.ts';

/** A place where a person is signed in. */
export interface SessionView {
  readonly id: string;
  readonly device: string;
  readonly address: string;
  readonly startedAt: number;
  readonly seenAt: number;
  readonly current: boolean;
  /** Names of the portals it has opened. */
  readonly portals: readonly string[];
}

/** A browser in which a second factor is not asked for again. */
export interface TrustedView {
  readonly id: string;
  readonly device: string;
  readonly address: string;
  readonly trustedAt: number;
  readonly expiresAt: number;
}

/** A portal a person has allowed something. `signedIn`: one of their sessions is open there now. */
export interface AllowedPortalView extends PortalView {
  readonly clientId: string;
  readonly description: string;
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
  readonly grantedAt: number;
  readonly signedIn: boolean;
}

/** One identity document as its owner sees it. `number` is masked for showing already. */
export interface DocumentView {
  readonly id: string;
  readonly type: DocumentType;
  readonly number: string;
  readonly level: number;
  /** It stands for the person. */
  readonly primary: boolean;
  /** The register can vouch for it again. */
  readonly provable: boolean;
  readonly removable: boolean;
  /** The name of the register that vouched for it. */
  readonly source?: string;
  readonly provenAt?: number;
  /** Days as printed on the document, `YYYY-MM-DD`. */
  readonly validFrom?: string;
  readonly validTo?: string;
}

/** What can be done with documents. */
export type DocumentAct = 'added' | 'proven' | 'removed';

/** `at` is the field of the new number, or the id of a document. */
export interface DocumentProblem {
  readonly at: string;
  readonly code: string;
}

/** Why a proof of identity did not count. */
export type ProofProblem =
  | 'refused'
  | 'passkey_refused'
  | 'certificate_refused'
  | 'certificate_expired'
  | 'too_many'
  | 'busy';

export interface PasswordChangeProblem {
  readonly field?: 'password' | 'newPassword' | 'newPasswordAgain';
  readonly code: string;
}

export type ContactProblem = 'malformed' | 'too_many' | 'code_mismatch' | 'code_expired' | 'code_exhausted';
export type UserNameProblem = IdentifierRefusal | 'taken' | 'too_many';

/** A field that travels through a page unseen. */
export interface HiddenField {
  readonly name: string;
  readonly value: string;
}

/** The pages of the account centre. */
export interface AccountPageModels {
  /** Two forms: /account/sessions/end posts `id`, /account/portals/withdraw posts `client_id`. */
  readonly account: {
    readonly maskedName?: string;
    readonly maskedIdNumber: string;
    readonly ial: number;
    readonly formToken: string;
    readonly sessions: readonly SessionView[];
    /** How many there are beyond those shown. */
    readonly sessionsMore: number;
    readonly portals: readonly AllowedPortalView[];
    readonly portalsMore: number;
    /** The newest lines of the trail. */
    readonly days: readonly TrailDay[];
    /** How many invitations to act for somebody wait for an answer. */
    readonly invitations: number;
    readonly signOutUrl?: string;
  };
  /**
   * /account/documents/show posts nothing but its token, /account/documents/add an `idNumber`, /account/documents/prove and
   * /account/documents/remove the `id` of a document.
   */
  readonly 'account-documents': {
    readonly formToken: string;
    readonly ial: number;
    /** Missing where the person gave none. */
    readonly name?: string;
    /** Whether more than the barest of name and numbers is shown. */
    readonly readable: boolean;
    readonly documents: readonly DocumentView[];
    /** The form for an ID number, for whoever holds none. */
    readonly add?: { readonly idNumber: string };
    readonly problem?: DocumentProblem;
    readonly done?: DocumentAct;
  };
  /** `remove` forms post their token to the page of the contact and `/remove`. */
  readonly 'account-methods': {
    readonly formToken: string;
    readonly passwordChangedAt: number | undefined;
    readonly contacts: readonly {
      readonly type: IdentifierType;
      /** Masked; missing while none is bound. */
      readonly value?: string;
      readonly boundAt?: number;
      readonly bindable: boolean;
    }[];
    readonly factors: FactorsView;
    readonly done?: 'password' | 'bound' | 'removed' | 'passkey' | 'certificate' | FactorDone;
  };
  /** Posts `address`. */
  readonly 'account-contact': FormView & {
    readonly type: 'phone' | 'email';
    readonly address: string;
    readonly problem?: ContactProblem;
  };
  /** Posts `code`, and `address` as it came. */
  readonly 'account-contact-code': FormView & {
    readonly type: 'phone' | 'email';
    readonly address: string;
    readonly backUrl: string;
    readonly minutes: number;
    readonly mailboxUrl?: string;
    readonly problem?: ContactProblem;
  };
  /** Posts `userName`. */
  readonly 'account-user-name': FormView & { readonly userName: string; readonly problem?: UserNameProblem };
  /** Posts `password` (the old one), `newPassword` and `newPasswordAgain`. */
  readonly 'account-password': FormView & {
    readonly passwordCharactersMin: number;
    /** The account has none yet: the old one is not asked for. */
    readonly isFirst: boolean;
    readonly problem?: PasswordChangeProblem;
  };
  /** /account/sessions/end posts `id`, /account/sessions/end-others its token alone. */
  readonly 'account-sessions': {
    readonly formToken: string;
    readonly sessions: readonly SessionView[];
    /** Each with a form that posts its `id` to /account/sessions/distrust. */
    readonly trusted: readonly TrustedView[];
  };
  /** /account/portals/withdraw posts `client_id`. */
  readonly 'account-portals': { readonly formToken: string; readonly portals: readonly AllowedPortalView[] };
  /** /account/merge/undo posts the `id` of a merge. */
  readonly 'account-data': {
    readonly formToken: string;
    /** Merges that can still be undone. */
    readonly merges: readonly { readonly id: string; readonly mergedAt: number; readonly undoUntil: number }[];
    readonly undoProblem?: string;
  };
  /** Sends `lang` and `text` by GET. */
  readonly 'account-display': { readonly action: string; readonly saved: boolean };
  /** Posts `password` and `fields`. */
  readonly 'account-prove': FormView & {
    /** Where it leads, and whatever it keeps of a form that waits. */
    readonly fields: readonly HiddenField[];
    /** Of an account that has none the field is not shown. */
    readonly hasPassword: boolean;
    /** Their certificate was given a moment ago, and the password is wanted beside it. */
    readonly isBeside: boolean;
    readonly passkey?: PasskeyView;
    /** Posts `challenge`, `answer` and `fields`. */
    readonly certificate?: { readonly action: string; readonly challenge: string; readonly text: string };
    readonly cancelUrl: string;
    readonly problem?: ProofProblem;
  };
  /** Posts `factor` and `code`, or what a script or a key has signed, with `fields`; `beginAction` takes `choose`, `again` or `voice` = `yes`. */
  readonly 'account-prove-factor': FormView & {
    readonly beginAction: string;
    readonly fields: readonly HiddenField[];
    readonly choices: readonly { readonly kind: FactorName; readonly chosen: boolean }[];
    readonly chosen: FactorChoice;
    readonly cancelUrl: string;
    readonly problem?: SecondFactorProblem;
  };
  /** Sends the form that waited for the proof. */
  readonly 'account-proven': FormView & { readonly kept: readonly HiddenField[] };
}

export const ACCOUNT_PAGE_NAMES = [
  'account',
  'account-documents',
  'account-methods',
  'account-password',
  'account-contact',
  'account-contact-code',
  'account-user-name',
  'account-sessions',
  'account-portals',
  'account-data',
  'account-display',
  'account-prove',
  'account-prove-factor',
  'account-proven',
] as const satisfies readonly (keyof AccountPageModels)[];
