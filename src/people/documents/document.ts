declare const identityDocument: unique symbol;
declare const documentNumber: unique symbol;

/** A number in the one normal form of its family. Sealed at rest, never in a log, an event or an address. */
export type DocumentNumber = string & { readonly [documentNumber]: true };

/** The documents a natural person may be known by, the one that says most about its holder first. */
export const DOCUMENT_TYPES = [
  'resident_id_card',
  'hmt_residence_permit',
  'foreign_resident_card',
  'foreign_resident_card_2017',
  'hm_travel_permit',
  'taiwan_travel_permit',
  'prc_passport',
  'foreign_passport',
  'net_number',
] as const;

export type DocumentType = (typeof DOCUMENT_TYPES)[number];

/**
 * What identifies a document. `issuer` is `CN` for what the mainland authorities issue, the ISO 3166 alpha-3 code for a foreign passport.
 * Made by `parseDocument` and its neighbours only: the three together are one key.
 */
export interface IdentityDocument {
  readonly type: DocumentType;
  readonly issuer: string;
  readonly number: DocumentNumber;
  readonly [identityDocument]?: true;
}

export type Sex = 'male' | 'female';

/** What the number itself says about its holder. `birthDate` is `YYYY-MM-DD`. */
export interface DocumentFacts {
  readonly birthDate?: string;
  readonly sex?: Sex;
}

/** Why a text is no number of its family. Names of texts, of reasons in answers; never with the number beside them. */
export type DocumentRefusal =
  | 'length'
  | 'characters'
  | 'repeated_digit'
  | 'province'
  | 'region'
  | 'date'
  | 'check_character'
  | 'legacy_ambiguous'
  | 'first_digit'
  | 'issuer'
  | 'shape'
  | 'unknown_type';

/**
 * A number as it was read. `reissue` counts the cards issued before, where the document prints it. `completed`: what was typed is the number
 * of a first-generation card, good for finding its owner and not for a new account.
 */
export interface ReadNumber {
  readonly ok: true;
  readonly number: DocumentNumber;
  readonly facts: DocumentFacts;
  readonly reissue?: number;
  readonly completed?: true;
}

export type NumberOutcome = ReadNumber | { readonly ok: false; readonly reason: DocumentRefusal };

export type DocumentOutcome =
  | {
      readonly ok: true;
      readonly document: IdentityDocument;
      readonly facts: DocumentFacts;
      readonly reissue?: number;
      readonly completed?: true;
    }
  | { readonly ok: false; readonly reason: DocumentRefusal };

export const ISSUED_IN_CHINA = 'CN';

export const refused = (reason: DocumentRefusal): { readonly ok: false; readonly reason: DocumentRefusal } => ({
  ok: false,
  reason,
});

export const accepted = (number: string, facts: DocumentFacts = {}): ReadNumber => ({
  ok: true,
  number: number as DocumentNumber,
  facts,
});
