import { nowMs } from '../shared/clock.ts';

declare const idNumber: unique symbol;

/** A citizen ID number (公民身份号码, GB 11643-1999) in its one normal form: 17 ASCII digits and a digit or `X`, check right. */
export type IdNumber = string & { readonly [idNumber]: true };

export type Sex = 'male' | 'female';

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
const BIRTH_YEAR_MIN = 1850;
const PROVINCES = new Set(
  '11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83'.split(' '),
);
/** Characters a person cannot see: white space, zero-width marks, direction marks, variation selectors. */
const INVISIBLE = /[\s\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
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
  const typed = input.normalize('NFKC').replace(INVISIBLE, '').toUpperCase();
  if (typed === '') return refused('length');
  if (!SHAPE.test(typed)) return refused('characters');
  if (typed.length !== LENGTH && typed.length !== LEGACY_LENGTH) return refused('length');
  if (REPEATED.test(typed)) return refused('repeated_digit');
  if (typed.length === LENGTH) return judge(typed, false);
  if (typed.endsWith('X')) return refused('characters');
  if (LEGACY_CENTENARIANS.test(typed)) return refused('legacy_ambiguous');
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
    birthDate: `${number.slice(6, 10)}-${number.slice(10, 12)}-${number.slice(12, 14)}`,
    sex: Number(number[16]) % 2 === 1 ? 'male' : 'female',
  };
}

const CHECK_CHARACTERS = '10X98765432';

/** ISO 7064 MOD 11-2 over the first 17 digits. Horner's form: the weight of a digit is 2 to the power of its distance. */
function checkCharacter(digits: string): string {
  let sum = 0;
  for (let place = 0; place < LENGTH - 1; place += 1) sum = (sum + Number(digits[place])) * 2;
  return CHECK_CHARACTERS[sum % 11]!;
}

const CHINA_OFFSET_MS = 8 * 3600 * 1000;

/** A day of the calendar, from 1850 to today in China. */
function isBirthDate(birthDate: string): boolean {
  if (Number(birthDate.slice(0, 4)) < BIRTH_YEAR_MIN) return false;
  const day = new Date(`${birthDate}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== birthDate) return false;
  return birthDate <= new Date(nowMs() + CHINA_OFFSET_MS).toISOString().slice(0, 10);
}
