import type { FormView, PasskeyView, PortalView } from './pages.ts';
import type { QrCode } from './qr-code.ts';

/** What became of a code that a phone has read. */
export type ScanEnd = 'approved' | 'refused' | 'mismatch' | 'over';
export type CertificateProblem = 'refused' | 'expired' | 'too_many' | 'taken';
export type PasskeyProblem = 'refused' | 'expired' | 'taken' | 'too_many' | 'model';

/** What is to be signed by the key of a certificate. */
interface CertificateView extends FormView {
  readonly challenge: string;
  readonly text: string;
  readonly backUrl: string;
  readonly problem?: CertificateProblem;
}

/** Pages about what people hold. */
export interface PossessionPageModels {
  /** Posts `label` and what the device has made. */
  readonly 'account-passkey': {
    readonly formToken: string;
    readonly passkey: PasskeyView;
    readonly label: string;
    readonly backUrl: string;
    readonly problem?: PasskeyProblem;
  };
  /** Posts `challenge` and `answer`. */
  readonly certificate: CertificateView & { readonly portal: PortalView };
  /** The same with a `label`. */
  readonly 'account-certificate': CertificateView;
  /** A screen that waits for a phone. `again` and `finish` post their token alone. */
  readonly scan: {
    readonly action: string;
    readonly finishAction: string;
    readonly stateUrl: string;
    readonly backUrl: string;
    readonly formToken: string;
    readonly portal: PortalView;
    readonly state: 'waiting' | 'approved' | 'refused' | 'expired';
    readonly refreshSeconds: number;
    /** While it waits. */
    readonly code?: QrCode;
    readonly matchNumber?: string;
  };
  /** The phone's side: posts `code`, `number` and `decision` = `approve` or `refuse`. */
  readonly 'account-scan': FormView & {
    readonly code: string;
    readonly portal: string;
    readonly device: string;
    readonly address: string;
    readonly region?: string;
    /** The screen is in another network than the phone. */
    readonly elsewhere: boolean;
    /** No number was typed. */
    readonly wrong: boolean;
  };
  readonly 'account-scan-done': { readonly end: ScanEnd; readonly accountUrl: string };
}

export const POSSESSION_PAGE_NAMES = [
  'account-passkey',
  'certificate',
  'account-certificate',
  'scan',
  'account-scan',
  'account-scan-done',
] as const satisfies readonly (keyof PossessionPageModels)[];
