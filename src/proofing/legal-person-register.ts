import { hash } from 'node:crypto';

/** Who says to represent a legal person: the name as on the document, and its number in normal form. */
export interface RepresentativeClaim {
  readonly name: string;
  /** As in `identity_documents.type`: `resident_id_card` and its kin. */
  readonly documentType: string;
  readonly documentNumber: string;
}

/** What somebody says about a legal person: its code in normal form, its name, and that they are its legal representative. */
export interface LegalPersonClaim {
  /** Unified Social Credit Code (GB 32100-2015), 18 characters. */
  readonly uscc: string;
  readonly name: string;
  readonly representative: RepresentativeClaim;
}

/**
 * `mismatch`: code and name do not belong together, or the code is not known. `not_representative`: they do, and somebody else
 * represents it. `unsupported`: this kind of legal person is not matched online and goes to manual review. `unavailable`: nobody
 * was judged; it is never shown or counted as a mismatch.
 */
export type LegalPersonVerdict =
  | 'match'
  | 'mismatch'
  | 'not_representative'
  | 'deregistered'
  | 'unsupported'
  | 'unavailable';

/** How a legal person stands in the register now. `unknown`: the register does not keep this kind, or never heard of the code. */
export type LegalPersonStanding =
  | {
      readonly state: 'active';
      readonly name: string;
      /** Who represents it now, as `representativeDigest` makes it: it is compared with, and never undone into, a person. */
      readonly representativeDigest: string;
    }
  | { readonly state: 'deregistered' }
  | { readonly state: 'unknown' }
  | { readonly state: 'unavailable' };

/**
 * The authority that knows which legal persons exist and who represents them. It answers within its own deadline and throws
 * nothing: whatever goes wrong on the way to it is `unavailable`.
 */
export interface LegalPersonRegister {
  /** Stored beside the claim it vouched for. */
  readonly name: string;
  check(claim: LegalPersonClaim): Promise<LegalPersonVerdict>;
  /** For the nightly re-check: whether the legal person still exists, and whether the representative is another one. */
  statusOf(uscc: string): Promise<LegalPersonStanding>;
}

/**
 * SM3 (GB/T 32905) over code, document type and document number, hexadecimal, 64 characters. The name is not part of it: registers
 * spell names in several ways. Whoever stores it keys it first: a number has too few possibilities for a bare digest.
 */
export const representativeDigest = (
  uscc: string,
  { documentType, documentNumber }: Pick<RepresentativeClaim, 'documentType' | 'documentNumber'>,
): string => hash('sm3', JSON.stringify([uscc, documentType, documentNumber]), 'hex');
