import { dashed, isBirthDate, sexOf } from './documents/birth-date.ts';
import {
  accepted,
  type DocumentNumber,
  type IdentityDocument,
  ISSUED_IN_CHINA,
  type NumberOutcome,
  refused as refusedNumber,
  type Sex,
} from './documents/document.ts';
import { checkCharacter } from './documents/mod-11-2.ts';
import { typedNumber } from './documents/typed-text.ts';

declare const idNumber: unique symbol;

/**
 * A citizen ID number (公民身份号码, GB 11643-1999) in its one normal form: 17 ASCII digits and a digit or `X`, check right. The numbers of the
 * residence permits of Hong Kong, Macao and Taiwan residents are built the same way and told apart by their region.
 */
export type IdNumber = DocumentNumber & { readonly [idNumber]: true };

/** What the number itself says. `birthDate` is `YYYY-MM-DD`, `region` the six digits of the place of first registration. */
export interface IdNumberFacts {
  readonly birthDate: string;
  readonly sex: Sex;
  readonly region: string;
}

export type IdNumberRefusal =
  | 'length'
  | 'characters'
  | 'repeated_digit'
  | 'province'
  | 'date'
  | 'check_character'
  | 'legacy_ambiguous';

export type IdNumberOutcome =
  | ({ readonly ok: true; readonly number: IdNumber; readonly upgraded: boolean } & IdNumberFacts)
  | { readonly ok: false; readonly reason: IdNumberRefusal };

const INPUT_CHARS_MAX = 64;
const LENGTH = 18;
const LEGACY_LENGTH = 15;
const PROVINCES = new Set(
  '11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83'.split(' '),
);
/** Hong Kong, Macao, Taiwan: the region of the residence permits, and of no citizen's card. */
const PERMIT_REGIONS: ReadonlySet<string> = new Set(['810000', '820000', '830000']);
const SHAPE = /^\d+X?$/;
const REPEATED = /^(\d)\1*$/;
/** Sequences once given to people born in the century before, for whom an inserted `19` would be wrong. */
const LEGACY_CENTENARIANS = /99[6-9]$/;

/**
 * Reads what a person typed as an ID number. Everything that looks the same gives the same number (G1): NFKC, white space and
 * invisible marks dropped, upper-case. Digits that NFKC does not fold (Arabic-Indic) and look-alike letters are refused.
 * A 15-digit number of the first-generation card is completed (`upgraded`): good for finding an old account, not for a new one.
 * The county code is never judged: people keep retired codes for life.
 */
export function parseIdNumber(input: string): IdNumberOutcome {
  if (input.length > INPUT_CHARS_MAX) return refused('length');
  const typed = typedNumber(input);
  if (typed === '') return refused('length');
  if (!SHAPE.test(typed)) return refused('characters');
  if (typed.length !== LENGTH && typed.length !== LEGACY_LENGTH) return refused('length');
  if (REPEATED.test(typed)) return refused('repeated_digit');
  if (typed.length === LENGTH) return judge(typed, false);
  if (typed.endsWith('X')) return refused('characters');
  if (LEGACY_CENTENARIANS.test(typed)) return refused('legacy_ambiguous');
  // The permits came after the first generation of cards had ended.
  if (PERMIT_REGIONS.has(typed.slice(0, 6))) return refused('province');
  const completed = `${typed.slice(0, 6)}19${typed.slice(6)}`;
  return judge(completed + checkCharacter(completed), true);
}

function judge(text: string, upgraded: boolean): IdNumberOutcome {
  if (!PROVINCES.has(text.slice(0, 2))) return refused('province');
  const number = text as IdNumber;
  const facts = factsOf(number);
  if (!isBirthDate(facts.birthDate)) return refused('date');
  if (checkCharacter(text) !== text.at(-1)) return refused('check_character');
  return { ok: true, number, upgraded, ...facts };
}

const refused = (reason: IdNumberRefusal): IdNumberOutcome => ({ ok: false, reason });

/** Birth date, sex and region out of a number that was parsed before. */
export function factsOf(number: IdNumber): IdNumberFacts {
  return {
    region: number.slice(0, 6),
    birthDate: dashed(number.slice(6, 14)),
    sex: sexOf(number),
  };
}

/** The document a number stands on: one number is one document, whichever way it came in. */
export const documentOfIdNumber = (number: IdNumber): IdentityDocument => ({
  type: PERMIT_REGIONS.has(number.slice(0, 6)) ? 'hmt_residence_permit' : 'resident_id_card',
  issuer: ISSUED_IN_CHINA,
  number,
});

/** Reads a number of the one or the other kind only; the region decides. */
export function readIdNumber(type: 'resident_id_card' | 'hmt_residence_permit', input: string): NumberOutcome {
  const outcome = parseIdNumber(input);
  if (!outcome.ok) return outcome;
  if (documentOfIdNumber(outcome.number).type !== type) return refusedNumber('region');
  const { number, birthDate, sex, upgraded } = outcome;
  return { ...accepted(number, { birthDate, sex }), ...(upgraded ? { completed: true } : {}) };
}
