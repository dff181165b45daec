/** What a person says about themselves: the ID number in normal form and the name as on the card. */
export interface IdentityClaim {
  readonly idNumber: string;
  readonly name: string;
  /** As in `identity_documents.type`; the resident ID card unless it says otherwise. */
  readonly documentType?: string;
}

/**
 * `mismatch`: the source knows better, or does not know the number. `unavailable`: nobody was judged; it is never shown or
 * counted as a mismatch.
 */
export type IdentityVerdict = 'match' | 'mismatch' | 'unavailable';

/**
 * An authority that says whether a name and a number belong together. It answers within its own deadline and throws nothing:
 * whatever goes wrong on the way to it is `unavailable`.
 */
export interface IdentitySource {
  /** Stored beside the document it vouched for. */
  readonly name: string;
  check(claim: IdentityClaim): Promise<IdentityVerdict>;
}
