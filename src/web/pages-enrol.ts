import type { FormView, PasskeyView } from './pages.ts';
import type { PassageView } from './passage.ts';

export type EnrolField = 'name' | 'idNumber' | 'identifier' | 'phone' | 'code' | 'password' | 'passwordAgain';

/** What is to be mended, at which field; without one it concerns the whole form. The text stands in the catalogue under `code`. */
export interface FormProblem {
  readonly field?: EnrolField;
  readonly code: string;
}

/** A step of an enrolment: `draft` is the version it is shown for. Hidden fields `draft` and `continue` are sent along. */
interface StepView extends FormView {
  readonly draft: string;
  readonly continueWith?: string;
  readonly problem?: FormProblem;
}

/** A step of a recovery. */
interface RecoverView extends FormView {
  /** What a stranger is asked for under suspicion, on the pages that begin a recovery. */
  readonly passage?: PassageView;
  readonly continueWith?: string;
  readonly problem?: FormProblem;
}

/** The pages of messages, enrolment and recovery; what each page shows, as in pages.ts. */
export interface EnrolPageModels {
  /** Demo and test alone. Addresses and words in full. */
  readonly mailbox: {
    readonly messages: readonly {
      readonly channel: 'sms' | 'email' | 'voice';
      readonly address: string;
      readonly text: string;
      readonly at: number;
    }[];
  };
  /** Posts `name`, `idNumber`. */
  readonly register: StepView & {
    /** What a stranger is asked for under suspicion. */
    readonly passage?: PassageView;
    readonly values: { readonly name: string; readonly idNumber: string };
    readonly signInUrl: string;
  };
  /** Posts `decision` = `continue` or `over`. */
  readonly 'register-resume': FormView & {
    readonly maskedName: string;
    readonly maskedNumber: string;
    readonly continueWith?: string;
  };
  /** Posts `decision` = `again`. */
  readonly 'register-unavailable': FormView;
  /** Posts `phone`. */
  readonly 'register-phone': StepView & {
    readonly phone: string;
    readonly backUrl: string;
    readonly mailboxUrl?: string;
  };
  /** Posts `code`; the second form, to `againAction`, asks for another. */
  readonly 'register-code': StepView & {
    readonly againAction: string;
    readonly phone: string;
    readonly minutes: number;
    readonly backUrl: string;
    readonly mailboxUrl?: string;
  };
  /** Posts `password`, `passwordAgain`. */
  readonly 'register-password': StepView & {
    readonly maskedName: string;
    readonly passwordCharactersMin: number;
    /** A passkey in place of the password. */
    readonly passkey: PasskeyView;
    readonly backUrl?: string;
  };
  /** Posts `idNumber`, `code`. */
  readonly 'register-confirm': FormView & { readonly idNumber: string; readonly problem?: FormProblem };
  readonly 'register-exists': { readonly signInUrl: string; readonly recoverUrl?: string };
  readonly 'register-stopped': {
    readonly reason: 'lost' | 'order';
    readonly goOnUrl: string;
    readonly signInUrl: string;
  };
  readonly 'register-done': { readonly maskedName: string; readonly continueUrl: string };
  /** Posts `name`, `idNumber`. */
  readonly recover: RecoverView & {
    readonly values: { readonly name: string; readonly idNumber: string };
    readonly withCodeUrl: string;
    readonly signInUrl: string;
  };
  readonly 'recover-unavailable': { readonly retryUrl: string; readonly withCodeUrl: string };
  /** Posts `code`; the second form, to `againAction`, asks for another. Says nothing of where a code went, if anywhere. */
  readonly 'recover-code': RecoverView & {
    readonly againAction: string;
    readonly minutes: number;
    readonly restartUrl: string;
    readonly withCodeUrl: string;
    readonly mailboxUrl?: string;
  };
  /** Posts `identifier`, `recoveryCode`. */
  readonly 'recover-with-code': RecoverView & {
    readonly identifier: string;
    readonly proofUrl: string;
    readonly signInUrl: string;
  };
  readonly 'recover-waiting': { readonly until: number; readonly signInUrl: string };
  /** Posts `password`, `passwordAgain`. */
  readonly 'recover-password': RecoverView & { readonly passwordCharactersMin: number };
  readonly 'recover-done': { readonly signInUrl: string };
  readonly 'recover-stopped': {
    readonly reason: 'lost' | 'cancelled' | 'second_factor';
    readonly startUrl: string;
    readonly signInUrl: string;
  };
  /** `codes` are filled on the one answer that shows them. Posts nothing but the token. */
  readonly 'account-recovery-codes': FormView & {
    readonly codes: readonly string[];
    readonly left?: number;
    readonly madeAt?: number;
  };
}

export const ENROL_PAGE_NAMES = [
  'mailbox',
  'register',
  'register-resume',
  'register-unavailable',
  'register-phone',
  'register-code',
  'register-password',
  'register-confirm',
  'register-exists',
  'register-stopped',
  'register-done',
  'recover',
  'recover-unavailable',
  'recover-code',
  'recover-with-code',
  'recover-waiting',
  'recover-password',
  'recover-done',
  'recover-stopped',
  'account-recovery-codes',
] as const satisfies readonly (keyof EnrolPageModels)[];
