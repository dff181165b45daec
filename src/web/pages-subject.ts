import type { ActingRole } from '../legal-persons/acting.ts';
import type { PortalView } from './pages.ts';

/** Somebody a person may act for, as the choice shows them. `ref` is posted as `acting_as`. */
export interface SubjectView {
  readonly ref: string;
  readonly kind: 'legal' | 'natural';
  readonly name: string;
  /** The code of a legal person, all but the ends hidden. */
  readonly code?: string;
  readonly role: ActingRole;
  /** The first of the matters the mandate covers, and how many there are. Posts have no list: they cover everything. */
  readonly matters: readonly string[];
  readonly mattersCount: number;
  /** Epoch seconds. */
  readonly until?: number;
}

/** The pages on which a person says for whom they act. */
export interface SubjectPageModels {
  /** Posts `acting_as` = `self` or a `ref`. The search is a GET of `searchUrl` with `q`; both addresses of pages keep it. */
  readonly 'choose-subject': {
    readonly action: string;
    readonly cancelAction: string;
    readonly formToken: string;
    readonly portal: PortalView;
    /** Absent where the portal takes nobody on their own behalf. */
    readonly self?: { readonly maskedName: string };
    readonly subjects: readonly SubjectView[];
    /** How many there are with and without the search. */
    readonly foundCount: number;
    readonly totalCount: number;
    readonly search?: { readonly url: string; readonly query: string };
    readonly previousUrl?: string;
    readonly nextUrl?: string;
    readonly problem?: 'ended';
  };
  /** Nobody to act for at a portal that takes nobody on their own behalf. The form leads back to the portal. */
  readonly 'nobody-to-act-for': {
    readonly action: string;
    readonly formToken: string;
    readonly portal: PortalView;
    readonly maskedName: string;
    readonly accountUrl: string;
  };
}

export const SUBJECT_PAGE_NAMES = [
  'choose-subject',
  'nobody-to-act-for',
] as const satisfies readonly (keyof SubjectPageModels)[];
