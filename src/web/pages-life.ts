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
  /** What a person consented to and took back, the newest first. */
  readonly 'account-consents': { readonly lines: readonly ConsentLineView[] };
}

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
  'account-consents',
] as const satisfies readonly (keyof LifePageModels)[];
