import type { FormView, PortalView } from './pages.ts';

/** The kinds of factors beside the password, as pages name them. */
export type FactorName = 'totp' | 'otp_token' | 'passkey' | 'sms_code' | 'email_code' | 'recovery_code' | 'certificate';

/** `refused` is one answer for wrong, too late, used before and one too many; `astray`: the code after it is wanted as well. */
export type SecondFactorProblem = 'refused' | 'astray' | 'too_many' | 'unavailable';

/** The factor a page asks for. `unsent`: a code has to be sent first. */
export interface FactorChoice {
  readonly kind: FactorName;
  readonly needsScript: boolean;
  /** What its owner calls it, or where a code goes, masked; empty where there are several. */
  readonly label: string;
  readonly state: 'ready' | 'unsent' | 'unavailable';
  /** A code can be read out by a call. */
  readonly voice: boolean;
  /** What a script needs beside the form. */
  readonly shown: Readonly<Record<string, string>>;
  /** A token is looked for: the code it showed before the one (`next`) that is asked for. */
  readonly codeBefore?: string;
}

/** What is wrong with a new password, and at which field. */
export interface NewPasswordProblem {
  readonly field?: 'newPassword' | 'newPasswordAgain';
  readonly code: string;
}

/** The pages between the first proof and the portal. */
export interface LadderPageModels {
  /**
   * Posts `factor` and `code`, or what a script has signed. `beginAction` takes `factor`, and `again=yes` or `voice=yes`. Without `chosen` the
   * person has none of the kinds in `wanted`.
   */
  readonly 'second-factor': FormView & {
    readonly beginAction: string;
    readonly cancelAction: string;
    readonly portal: PortalView;
    readonly because: 'account' | 'risk' | 'portal' | 'wish';
    /** Whether the form has `trust=yes`, by which this question is spared in this browser from now on. */
    readonly offersTrust: boolean;
    readonly choices: readonly { readonly kind: FactorName; readonly url: string; readonly chosen: boolean }[];
    readonly chosen?: FactorChoice;
    readonly wanted: readonly FactorName[];
    readonly methodsUrl: string;
    readonly switchUrl: string;
    /** Where going on without is posted. */
    readonly withoutAction?: string;
    readonly problem?: SecondFactorProblem;
  };
  /** The password is older than `ageDays`. Posts `newPassword`, `newPasswordAgain`. */
  readonly 'new-password': FormView & {
    readonly cancelAction: string;
    readonly portal: PortalView;
    readonly passwordCharactersMin: number;
    readonly ageDays: number;
    readonly problem?: NewPasswordProblem;
  };
  /** The identity is proven less well (`held`) than the portal wants (`wanted`). The form leads back to the portal. */
  readonly 'prove-identity': FormView & {
    readonly portal: PortalView;
    readonly wanted: number;
    readonly held: number;
    readonly documentsUrl: string;
    readonly switchUrl: string;
  };
}

export const LADDER_PAGE_NAMES = [
  'second-factor',
  'new-password',
  'prove-identity',
] as const satisfies readonly (keyof LadderPageModels)[];
