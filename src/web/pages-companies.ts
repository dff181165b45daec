import type { ClaimStatus } from '../legal-persons/claim-rows.ts';
import type { LegalPersonStatus } from '../legal-persons/companies.ts';
import type { ImportReport } from '../legal-persons/mandate-import.ts';
import type { MandateAct, MandateStatus } from '../legal-persons/mandate-states.ts';
import type { PostRole } from '../legal-persons/posts.ts';
import type { FormView } from './pages.ts';

/** Something in a list of choices, in the language of the page. */
export interface ChoiceView {
  readonly id: string;
  readonly title: string;
  readonly chosen: boolean;
}

/** A mandate as one of its two sides sees it. */
export interface MandateCard {
  readonly id: string;
  readonly kind: 'agent' | 'guardian' | 'relative';
  /** Who is acted for, and who acts. Empty where somebody gave no name. */
  readonly principalName: string;
  readonly agentName: string;
  /** While an invitation waits: the masked number it was sent to. */
  readonly agentNumber?: string;
  readonly matters: readonly string[];
  readonly portals: readonly string[];
  readonly from: number;
  readonly until: number;
  readonly ceiling?: string;
  readonly mayDelegate: boolean;
  readonly status: MandateStatus;
  /** What the viewer may do to it. */
  readonly acts: readonly MandateAct[];
  /** Where the viewer passes a part of it on. */
  readonly passOnUrl?: string;
}

/** A company somebody stands for. */
export interface CompanyCard {
  readonly id: string;
  readonly name: string;
  readonly role: PostRole;
  readonly status: LegalPersonStatus;
  /** Their own post is suspended. */
  readonly suspended: boolean;
}

export interface StandingView {
  /** The id of the post. */
  readonly id: string;
  readonly name: string;
  readonly role: PostRole;
  readonly suspended: boolean;
  readonly isVisitor: boolean;
  readonly acts: readonly ('dismiss' | 'reinstate' | 'resign')[];
}

/** What went wrong with which field, or with none of them. */
export interface FieldProblem {
  readonly field?: string;
  readonly code: string;
}

export type MandateDone = 'accept' | 'decline' | 'revoke' | 'suspend' | 'resume' | 'renew' | 'granted';
export type CompanyDone =
  | MandateDone
  | 'appointed'
  | 'dismissed'
  | 'reinstated'
  | 'claimed'
  | 'submitted'
  | 'withdrawn';

/** What the trail tells of acting for others; each kind has its sentence in the catalogues. */
export type ActingTrailKind =
  | 'entered-for'
  | 'acting-ended'
  | 'acting-refused'
  | 'company-claimed'
  | 'company-claim-refused'
  | 'company-claim-submitted'
  | 'company-claim-withdrawn'
  | 'post-appointed'
  | 'post-representative'
  | 'post-resumed'
  | 'post-ended'
  | 'mandate-invited'
  | 'mandate-accepted'
  | 'mandate-declined'
  | 'mandate-suspended'
  | 'mandate-resumed'
  | 'mandate-revoked'
  | 'mandate-expired'
  | 'mandate-renewed'
  | 'mandate-given'
  | 'given-accepted'
  | 'given-declined'
  | 'given-suspended'
  | 'given-resumed'
  | 'given-revoked'
  | 'given-expired'
  | 'given-renewed';

/** The pages about companies and mandates. Forms of mandates post `id` and `back` to /account/mandates/ and the act. */
export interface CompanyPageModels {
  readonly 'account-companies': {
    readonly formToken: string;
    readonly invitations: readonly MandateCard[];
    readonly companies: readonly CompanyCard[];
    /** Where this person acts. */
    readonly held: readonly MandateCard[];
    /** Who acts for this person. */
    readonly given: readonly MandateCard[];
    /** Claims of theirs that reviewers look at or have decided. */
    readonly claims: readonly {
      readonly id: string;
      readonly status: ClaimStatus;
      readonly usccMasked: string;
      readonly createdAt: number;
    }[];
    /** Portals where they can choose anew for whom they act. */
    readonly switches: readonly { readonly name: string; readonly url: string }[];
    readonly done?: CompanyDone;
    readonly problem?: FieldProblem;
  };
  /** Posts `uscc` and `name`. */
  readonly 'account-company-claim': FormView & {
    readonly values: { readonly uscc: string; readonly name: string };
    readonly problems: readonly FieldProblem[];
  };
  /** `appoint` posts `name`, `idNumber`; `dismiss` and `reinstate` post `post`. */
  readonly 'account-company': {
    readonly id: string;
    readonly name: string;
    readonly uscc: string;
    readonly category: string;
    readonly status: LegalPersonStatus;
    readonly suspendedCause?: string;
    readonly role: PostRole;
    readonly formToken: string;
    readonly standing: readonly StandingView[];
    readonly mayAppoint: boolean;
    readonly mayGrant: boolean;
    readonly appoint: { readonly name: string; readonly idNumber: string };
    readonly mandates: readonly MandateCard[];
    readonly olderUrl?: string;
    readonly done?: CompanyDone;
    readonly problem?: FieldProblem;
  };
  /** Posts `agentName`, `agentNumber`, a `matter.<id>` and `portal.<id>` for each tick, `until`, `ceiling`, `mayDelegate`. */
  readonly 'account-grant': FormView & {
    /** The company that grants; missing where a person grants for themself. */
    readonly company?: { readonly id: string; readonly name: string };
    /** Where an agent passes a part of their own mandate on: for whom they act. */
    readonly passedOn?: { readonly principalName: string };
    readonly values: {
      readonly agentName: string;
      readonly agentNumber: string;
      readonly until: string;
      readonly ceiling: string;
      readonly mayDelegate: boolean;
    };
    readonly untilMin: string;
    readonly untilMax: string;
    readonly matters: readonly ChoiceView[];
    readonly portals: readonly ChoiceView[];
    readonly problem?: FieldProblem;
  };
  /** Posts `until`. */
  readonly 'account-mandate-renew': FormView & {
    readonly mandate: MandateCard;
    readonly until: string;
    readonly untilMin: string;
    readonly back: string;
    readonly problem?: FieldProblem;
  };
  /** A form with files: `uscc`, `name`, `note` and up to `filesMax` times `files`. */
  readonly 'account-company-review': FormView & {
    readonly values: { readonly uscc: string; readonly name: string; readonly note: string };
    readonly filesMax: number;
    readonly fileMegabytesMax: number;
    readonly problems: readonly FieldProblem[];
  };
  /** A form with a file: `file`, and `run` = `try` or `grant`. */
  readonly 'account-company-import': FormView & {
    readonly company: { readonly id: string; readonly name: string };
    readonly matters: readonly ChoiceView[];
    readonly report?: ImportReport;
    readonly problem?: 'no_file' | 'files_too_large';
  };
  readonly 'account-company-history': {
    readonly id: string;
    readonly name: string;
    readonly uses: readonly {
      readonly at: number;
      readonly name: string;
      readonly role: string;
      readonly portal: string;
    }[];
    readonly newerUrl?: string;
    readonly olderUrl?: string;
  };
}

export const COMPANY_PAGE_NAMES = [
  'account-companies',
  'account-company-claim',
  'account-company',
  'account-grant',
  'account-mandate-renew',
  'account-company-review',
  'account-company-import',
  'account-company-history',
] as const satisfies readonly (keyof CompanyPageModels)[];
