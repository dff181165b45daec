import type { FactorKind } from '../factors/factor.ts';
import type { FormView } from './pages.ts';
import type { QrCode } from './qr-code.ts';

/** What a line of the trail tells of the factors of a person. */
export type FactorTrailKind =
  | 'factor-bound'
  | 'factor-renamed'
  | 'factor-removed'
  | 'factor-always'
  | 'factor-sometimes'
  | 'factor-cloned'
  | 'scan-approved'
  | 'scan-refused'
  | 'device-trusted'
  | 'device-distrusted';

export type AddableKind = Extract<FactorKind, 'passkey' | 'totp' | 'otp_token' | 'certificate'>;

/** What was done on a page that led back to the methods. */
export type FactorDone = 'factor' | 'factor-renamed' | 'factor-removed' | 'factor-always' | 'factor-sometimes';

/** What a person proves themselves with beside the password. /account/methods/always posts `always` = `yes` or `no`. */
export interface FactorsView {
  readonly alwaysAsk: boolean;
  readonly bound: readonly {
    readonly kind: FactorKind;
    readonly label: string;
    /** Where it is renamed and removed. */
    readonly url: string;
    readonly boundAt: number;
    readonly lastUsedAt?: number;
  }[];
  /** Kinds that can be added here, each with a page of its own, the strongest first. */
  readonly addable: readonly { readonly kind: AddableKind; readonly url: string }[];
  readonly hasRecoveryCodes: boolean;
}

export type FactorProblem = 'label_empty' | 'needed' | 'only_key';
export type AuthenticatorProblem = 'mismatch' | 'expired' | 'too_many';
export type TokenProblem = 'refused' | 'exhausted' | 'too_many';

/** The pages of single factors. */
export interface FactorPageModels {
  /** Two forms: `action` with `/rename` posts `id` and `label`, with `/remove` its `id`. */
  readonly 'account-factor': FormView & {
    readonly id: string;
    readonly kind: FactorKind;
    readonly label: string;
    readonly boundAt: number;
    readonly lastUsedAt?: number;
    readonly isLast: boolean;
    readonly problem?: FactorProblem;
  };
  /** Posts `code` and `label`. `secret` is what the picture says, in groups of four. */
  readonly 'account-authenticator': FormView & {
    readonly code: QrCode;
    readonly secret: readonly string[];
    readonly label: string;
    readonly problem?: AuthenticatorProblem;
  };
  /** Posts `serial`, `first` and `second`. */
  readonly 'account-token': FormView & { readonly serial: string; readonly problem?: TokenProblem };
}

export const FACTOR_PAGE_NAMES = [
  'account-factor',
  'account-authenticator',
  'account-token',
] as const satisfies readonly (keyof FactorPageModels)[];
