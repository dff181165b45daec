import { CATEGORIES, type Category } from './categories.ts';

declare const uscc: unique symbol;

/** A Unified Social Credit Code (统一社会信用代码, GB 32100-2015) in its one normal form: 18 characters, check right. */
export type Uscc = string & { readonly [uscc]: true };

/**
 * `letter`: I, O, Z, S or V, which the standard leaves out because they are taken for digits. They are refused and never mapped: a
 * guess may name another company.
 */
export type UsccRefusal = 'length' | 'letter' | 'characters' | 'check_character' | 'organisation_code';

/** What is unusual and yet allowed: registrants coded before 2015 exist, and departments get new categories. */
export type UsccWarning = 'organisation_code' | 'unknown_category';

export type UsccOutcome =
  | {
      readonly ok: true;
      readonly uscc: Uscc;
      /** Undefined for a pair of department and category we do not know. */
      readonly category: Category | undefined;
      readonly warnings: readonly UsccWarning[];
    }
  | { readonly ok: false; readonly reason: UsccRefusal };

const INPUT_CHARS_MAX = 64;
const LENGTH = 18;
/** Value of a character is its place: digits and capitals without I, O, Z, S, V. */
const ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY';
const LEFT_OUT = /[IOZSV]/;
const SHAPE = /^[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}$/;
/** Characters a person cannot see, and the dashes by which codes are set in groups. */
const SET_APART = /[\s\p{Cf}\p{Default_Ignorable_Code_Point}\p{Pd}\u2212]/gu;

/**
 * Reads what a person typed as a code. Everything that looks the same gives the same code (G1): NFKC, upper-case, blanks and
 * hyphens dropped. With `organisationCode: 'refuse'` a wrong embedded organisation code is no warning but a refusal.
 */
export function parseUscc(
  input: string,
  { organisationCode = 'warn' }: { readonly organisationCode?: 'warn' | 'refuse' } = {},
): UsccOutcome {
  if (input.length > INPUT_CHARS_MAX) return refused('length');
  const typed = input.normalize('NFKC').replace(SET_APART, '').toUpperCase();
  if (typed.length !== LENGTH) return refused(/^[0-9A-Z]*$/.test(typed) ? 'length' : 'characters');
  if (!SHAPE.test(typed)) return refused(/^[0-9A-Z]+$/.test(typed) && LEFT_OUT.test(typed) ? 'letter' : 'characters');
  if (usccCheckCharacter(typed) !== typed[LENGTH - 1]) return refused('check_character');
  const category = CATEGORIES.get(typed.slice(0, 2));
  const warnings: UsccWarning[] = category === undefined ? ['unknown_category'] : [];
  if (!holdsOrganisationCode(typed)) {
    if (organisationCode === 'refuse') return refused('organisation_code');
    warnings.push('organisation_code');
  }
  return { ok: true, uscc: typed as Uscc, category, warnings };
}

const refused = (reason: UsccRefusal): UsccOutcome => ({ ok: false, reason });

/** Registration department and category: the first two characters. */
export const categoryOf = (code: Uscc): string => code.slice(0, 2);

/**
 * First two and last two characters: an individual business has its owner's fate in its code, so pages that only need to be
 * recognised show no more.
 */
export const maskUscc = (code: Uscc): string => `${code.slice(0, 2)}${'*'.repeat(LENGTH - 4)}${code.slice(-2)}`;

/**
 * GB 32100-2015: weights 3^(i-1) mod 31 over the first 17. As 31 is prime and every weight has an inverse, no single wrong
 * character keeps the sum.
 */
export function usccCheckCharacter(code: string): string {
  let sum = 0;
  let weight = 1;
  for (let place = 0; place < LENGTH - 1; place += 1) {
    sum += ALPHABET.indexOf(code[place]!) * weight;
    weight = (weight * 3) % 31;
  }
  return ALPHABET[(31 - (sum % 31)) % 31]!;
}

const ORGANISATION_START = 8;
const ORGANISATION_WEIGHTS = [3, 7, 9, 10, 5, 8, 4, 2] as const;

/** GB 11714: the ninth character of the organisation code, out of its first eight (`A` counts 10, `Z` 35). */
export function organisationCheckCharacter(code: string): string {
  const sum = ORGANISATION_WEIGHTS.reduce(
    (total, weight, place) => total + Number.parseInt(code[place]!, 36) * weight,
    0,
  );
  const check = 11 - (sum % 11);
  if (check === 10) return 'X';
  return check === 11 ? '0' : String(check);
}

const holdsOrganisationCode = (code: string): boolean =>
  organisationCheckCharacter(code.slice(ORGANISATION_START)) === code[LENGTH - 2];
