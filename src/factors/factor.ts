import type { Transaction } from '../storage/database.ts';

/** Every kind of factor beside the password, as rows, ledger events and pages name it. */
export const FACTOR_KINDS = [
  'totp',
  'otp_token',
  'passkey',
  'sms_code',
  'email_code',
  'recovery_code',
  'certificate',
] as const;
export type FactorKind = (typeof FACTOR_KINDS)[number];

/** One factor as its owner sees it. `label` is the name they gave it, or what it is masked; times are epoch seconds. */
export interface BoundFactor {
  readonly id: string;
  readonly kind: FactorKind;
  readonly personId: string;
  readonly label: string;
  readonly boundAt: number;
  readonly lastUsedAt?: number;
}

/** What a proof is for and nothing else (D11): whose, which ceremony or session (`binding`), which browser. */
export interface FactorUse {
  readonly personId: string;
  readonly binding: string;
  /** As `FormTokens.browserOf` names it. */
  readonly browser: string;
  /** From which network address it is tried: attempts are counted there as well. */
  readonly address: string;
  /** Digest of a device known as the person's. It has attempts of its own, which strangers cannot use up (D8). */
  readonly device?: string | undefined;
  /** Of the page, for factors that sign it. */
  readonly origin?: string | undefined;
  /** For the ledger. */
  readonly userAgent?: string | undefined;
  readonly correlation?: string | undefined;
}

/** How the person wants to be asked. */
export interface BeginWishes {
  readonly language: 'zh-CN' | 'en';
  /** A code that still holds shall be followed by another. */
  readonly again?: boolean;
  /** Have the code read out by a call. */
  readonly voice?: boolean;
}

/**
 * `ready`: the person can be asked now; `shown` is what the page needs beside the form: options for a script, the masked address
 * a code went to. `sent_already`: the code sent a moment ago still holds. `unavailable`: the person has none, or it cannot be used now.
 */
export type BeginOutcome =
  | { readonly state: 'ready' | 'sent_already'; readonly shown: Readonly<Record<string, string>> }
  | { readonly state: 'unavailable' | 'too_many' };

/**
 * `proven`: the answer was right, and counts once `write` has resolved with true in the transaction of what it allows: false means
 * that somebody else spent the same proof meanwhile. `expired`: what was asked for is no more; `exhausted`: too many wrong answers, the
 * limit holds for all sessions of the person together; `replayed`: right, but used before. A stranger must not be able to tell
 * these three from a mismatch by anything but the words chosen for them. `astray`: a device whose clock is far from ours shows this
 * code; it proves nothing, but together with the code after it (`next`) it would.
 */
export type FactorVerdict =
  | {
      readonly state: 'proven';
      readonly factorId: string;
      /** Names of RFC 8176. */
      readonly amr: readonly string[];
      readonly write: (tx: Transaction) => Promise<boolean>;
    }
  | { readonly state: 'mismatch' | 'expired' | 'exhausted' | 'replayed' | 'astray' };

/** `weak`: reaches a person and is never their only strong proof; `possession`; `cryptographic` in the sense of MLPS 8.1.4.1 d. */
export type FactorStrength = 'weak' | 'possession' | 'cryptographic';

/**
 * Proves beside the password that it is the person. The caller writes the outcome to the ledger; the factor counts attempts, keeps
 * a proof from working twice, and remembers when it was used last.
 */
export interface Factor {
  readonly kind: FactorKind;
  /** What it may earn at most; the verdict says what it earned. */
  readonly amr: readonly string[];
  readonly strength: FactorStrength;
  /** Whether its page cannot work without JavaScript. */
  readonly needsScript: boolean;
  boundTo(personId: string): Promise<readonly BoundFactor[]>;
  /** To be called before the person is asked. May send a message; nothing waits for its delivery. */
  begin(use: FactorUse, wishes: BeginWishes): Promise<BeginOutcome>;
  verify(use: FactorUse, entered: Readonly<Record<string, string>>): Promise<FactorVerdict>;
}
