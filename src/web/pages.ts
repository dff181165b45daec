import type { LEGAL_BASES } from '../relying-parties/schema.ts';
import { ACCOUNT_PAGE_NAMES, type AccountPageModels } from './pages-account.ts';
import { type ActingTrailKind, COMPANY_PAGE_NAMES, type CompanyPageModels } from './pages-companies.ts';
import { ENROL_PAGE_NAMES, type EnrolPageModels } from './pages-enrol.ts';
import { FACTOR_PAGE_NAMES, type FactorPageModels, type FactorTrailKind } from './pages-factors.ts';
import { LADDER_PAGE_NAMES, type LadderPageModels } from './pages-ladder.ts';
import { LIFE_PAGE_NAMES, type LifePageModels } from './pages-life.ts';
import { POSSESSION_PAGE_NAMES, type PossessionPageModels } from './pages-possession.ts';
import { SUBJECT_PAGE_NAMES, type SubjectPageModels, type SubjectView } from './pages-subject.ts';
import type { PassageView } from './passage.ts';

/** A portal as pages name it: the registered name and the host people can compare with the address bar. */
export interface PortalView {
  readonly name: string;
  readonly host: string;
}

export type LegalBasis = (typeof LEGAL_BASES)[number];

/** A form of ours: where it is posted and the token that ties it to this browser. The token's field is named `form_token`. */
export interface FormView {
  readonly action: string;
  readonly formToken: string;
}

/** What a script hands to the device: `options` are JSON. The form's own fields are filled by it. */
export interface PasskeyView {
  readonly action: string;
  readonly options: string;
}

export type SignInProblem =
  | 'needs_guardian'
  | 'refused'
  | 'too_many'
  | 'busy'
  | 'identifier_form'
  | 'passkey_refused'
  | 'password_outdated'
  | 'expired'
  | 'unproven';

/** What a line of the trail tells; each kind has its sentence in the catalogues. */
export type TrailKind =
  | ActingTrailKind
  | FactorTrailKind
  | 'document-refused'
  | 'document-expired'
  | 'signed-in'
  | 'signed-in-new-device'
  | 'refused'
  | 'second-refused'
  | 'portal-closed'
  | 'proven-again'
  | 'proof-refused'
  | 'data-shown'
  | 'entered'
  | 'released'
  | 'consent-given'
  | 'consent-denied'
  | 'consent-withdrawn'
  | 'password-set'
  | 'password-changed'
  | 'signed-out'
  | 'session-ended'
  | 'ended-by-freeze'
  | 'ended-by-disabling'
  | 'ended-otherwise'
  | 'account-opened'
  | 'level-fell'
  | 'level-rose'
  | 'account-disabled'
  | 'account-enabled'
  | 'frozen-by-person'
  | 'frozen-by-watch'
  | 'document-added'
  | 'document-removed'
  | 'document-proven'
  | 'identifier-bound'
  | 'identifier-released'
  | 'identifier-taken'
  | 'account-closing'
  | 'account-kept'
  | 'account-merged'
  | 'merge-undone'
  | 'noticed'
  | 'told';

/** One thing that happened to an account, as its person reads it. Texts are empty where nothing is known, or no longer. */
export interface TrailLine {
  /** The number of the newest entry it tells of. */
  readonly seq: number;
  readonly kind: TrailKind;
  /** The newest moment, and the oldest where the line stands for several. */
  readonly at: number;
  readonly since: number;
  /** How many times. */
  readonly count: number;
  readonly portal: string;
  /** Whom it was done for, or the company it is about. */
  readonly principal: string;
  readonly device: string;
  /** Empty also where there were several. */
  readonly address: string;
  /** How many addresses are known, up to a limit. */
  readonly addressCount: number;
  /** Names of scopes or claims, or of the notice that was sent. */
  readonly items: readonly string[];
  /** Whether it could be somebody else's doing. */
  readonly reportable: boolean;
}

/** The lines of one day in Beijing time, newest first. */
export interface TrailDay {
  readonly at: number;
  readonly relative?: 'today' | 'yesterday';
  readonly lines: readonly TrailLine[];
}

/**
 * What each page shows. A person who gave no plaintext identity has no `maskedName`. Every moment is in epoch seconds; every address is already safe to link to. Names, hosts and identifiers
 * may hold anything a person can type: the templates make them inert.
 */
export interface PageModels
  extends AccountPageModels,
    CompanyPageModels,
    EnrolPageModels,
    FactorPageModels,
    LadderPageModels,
    LifePageModels,
    PossessionPageModels,
    SubjectPageModels {
  readonly home: {
    readonly portals: readonly { readonly name: string; readonly description: string; readonly url: string }[];
    readonly demo?: {
      readonly people: readonly { readonly idNumber: string; readonly name: string }[];
      readonly password: string;
      readonly mailboxUrl?: string;
    };
    readonly signedIn?: { readonly maskedName?: string };
    readonly accountUrl: string;
  };
  /** Posts `identifier`, `password`. `identifier` is shown again after a refusal, a password never is. */
  readonly 'sign-in': FormView & {
    /** What a stranger is asked for under suspicion. */
    readonly passage?: PassageView;
    readonly portal?: PortalView;
    readonly identifier: string;
    readonly passkey: PasskeyView;
    /** Posts its token alone: a code for a phone is shown then. */
    readonly scanAction: string;
    /** Where a certificate is used, if any authority is known. */
    readonly certificateUrl?: string;
    readonly problem?: SignInProblem;
    /** The person has just kept an account that was to be closed. */
    readonly kept?: boolean;
    readonly registerUrl?: string;
    readonly recoverUrl?: string;
    /** Where giving up is posted, as `decision=cancel` with the form token. */
    readonly cancelAction?: string;
  };
  /** Posts `decision` = `continue` or `switch`. */
  readonly 'continue-as': FormView & {
    readonly portal: PortalView;
    readonly maskedName?: string;
    readonly maskedIdNumber: string;
  };
  /** Posts `decision` = `allow` or `deny`. Items marked sensitive stand apart (separate consent for sensitive data). */
  readonly consent: FormView & {
    readonly portal: PortalView;
    /** The masked number where there is no name. */
    readonly maskedName: string;
    /** For whom the person acts, unless for themselves. */
    readonly subject?: SubjectView;
    readonly items: readonly { readonly scope: string; readonly sensitive: boolean }[];
    readonly claims: readonly string[];
    /** For what the portal wants it, where it says so, and on which basis of the law. */
    readonly purpose?: string;
    readonly legalBasis: LegalBasis;
    readonly noticeVersion?: string;
    readonly lifetimeDays?: number;
  };
  /** Posts the hidden fields, with `logout=yes` to leave everywhere and without it to leave the current portal alone. */
  readonly logout: {
    readonly action: string;
    readonly hidden: readonly { readonly name: string; readonly value: string }[];
    readonly portals: readonly { readonly name: string }[];
    readonly current?: { readonly name: string };
    readonly cancelUrl?: string;
  };
  /** `againUrl` stands while a portal is still being told. */
  readonly 'logout-done': {
    readonly portals: readonly { readonly name: string; readonly state: 'told' | 'pending' | 'none' }[];
    readonly againUrl?: string;
    readonly homeUrl: string;
  };
  /** `newerUrl` stands on every page but the newest. */
  readonly 'account-trail': {
    readonly days: readonly TrailDay[];
    readonly newerUrl?: string;
    readonly olderUrl?: string;
  };
  /** Posts `entry`, the number of the line. */
  readonly 'not-me': FormView & { readonly line: TrailLine; readonly cancelUrl: string };
  readonly 'not-me-done': { readonly caseNumber: string; readonly homeUrl: string };
  readonly fault: {
    readonly number: number;
    readonly requestId: string;
    readonly title: string;
    readonly text: string;
    readonly retry: boolean;
    readonly homeUrl: string;
    readonly hotline: string;
  };
}

export type PageName = keyof PageModels;

export const PAGE_NAMES = [
  'home',
  'sign-in',
  'continue-as',
  'consent',
  ...SUBJECT_PAGE_NAMES,
  ...LADDER_PAGE_NAMES,
  'logout',
  'logout-done',
  'account-trail',
  'not-me',
  'not-me-done',
  'fault',
  ...ENROL_PAGE_NAMES,
  ...FACTOR_PAGE_NAMES,
  ...LIFE_PAGE_NAMES,
  ...POSSESSION_PAGE_NAMES,
  ...ACCOUNT_PAGE_NAMES,
  ...COMPANY_PAGE_NAMES,
] as const satisfies readonly PageName[];
