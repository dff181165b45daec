/** One line of the ledger of consents: what was agreed to or taken back, for what, and what was shown. */
export interface ConsentRecord {
  readonly id: string;
  readonly clientId: string;
  readonly act: 'given' | 'withdrawn' | 'moved';
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
  readonly purpose: string | undefined;
  readonly legalBasis: string;
  readonly noticeVersion: string | undefined;
  /** SM3 of the text that was shown, hex. */
  readonly noticeHash: string | undefined;
  readonly language: string | undefined;
  readonly channel: string;
  /** Epoch seconds. */
  readonly at: number;
}
