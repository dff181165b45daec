import type { DocumentType } from '../people/documents/document.ts';
import type { MergeRefusal } from '../people/lifecycle/merges.ts';
import type { FormView, PortalView } from './pages.ts';

/** The pages of merging, closing, exporting and correcting. */
export interface LifePageModels {
  /** Posts `agree=yes`. */
  readonly 'account-close': FormView & {
    readonly coolingDays: number;
    readonly problem?: { readonly code: 'agree' | 'represents'; readonly companies: readonly string[] };
  };
  readonly 'account-close-done': { readonly dueAt: number; readonly homeUrl: string };
  /** Posts `person`. The second form gives up signing in. */
  readonly 'account-closing': FormView & {
    readonly person: string;
    readonly dueAt: number;
    /** False when the day has come and nothing can be kept any more. */
    readonly mayKeep: boolean;
    readonly portal: PortalView;
    readonly cancelAction: string;
    readonly cancelToken: string;
  };
  /** Posts `identifier` and `password` of the second account. */
  readonly 'account-merge': FormView & {
    readonly identifier: string;
    readonly undoDays: number;
    readonly problem?: MergeProblem;
  };
  /** Posts `keep` = `this` or `other`, and what it was given. */
  readonly 'account-merge-choose': FormView & {
    readonly other: string;
    readonly provenAt: string;
    readonly proof: string;
    readonly accounts: readonly {
      readonly id: 'this' | 'other';
      readonly maskedName?: string;
      readonly maskedNumber: string;
      readonly ial: number;
      readonly documents: readonly DocumentType[];
    }[];
    readonly undoDays: number;
    readonly problem?: 'choose';
  };
  readonly 'account-merged': {
    readonly undoUntil: number;
    /** False when the account of this browser's session was the one that went over. */
    readonly signedIn: boolean;
    readonly accountUrl: string;
  };
  readonly 'account-merge-undone': { readonly accountUrl: string };
  /** Everything that is kept about a person; `name` and the first of each pair are names of fields (docs/data-export.md). */
  readonly 'account-data-all': {
    readonly madeAt: string;
    readonly sections: readonly {
      readonly name: string;
      readonly items: readonly (readonly (readonly [field: string, value: string])[])[];
    }[];
  };
  /** Posts `name`. */
  readonly 'account-correct': FormView & { readonly name: string; readonly problem?: string };
  /** What a person consented to and took back, the newest first. */
  readonly 'account-consents': { readonly lines: readonly ConsentLineView[] };
}

export type MergeProblem = 'refused' | 'identifier_form' | 'too_many' | 'busy' | 'proof_old' | MergeRefusal;

export interface ConsentLineView {
  readonly act: string;
  readonly portal: string;
  readonly at: number;
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
  readonly purpose?: string;
  readonly legalBasis: string;
  readonly noticeVersion?: string;
  readonly noticeHash?: string;
}

export const LIFE_PAGE_NAMES = [
  'account-close',
  'account-close-done',
  'account-closing',
  'account-data-all',
  'account-correct',
  'account-merge',
  'account-merge-choose',
  'account-merged',
  'account-merge-undone',
  'account-consents',
] as const satisfies readonly (keyof LifePageModels)[];
