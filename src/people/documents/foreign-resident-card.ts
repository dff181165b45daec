import { dashed, isBirthDate, sexOf } from './birth-date.ts';
import { accepted, type DocumentFacts, type NumberOutcome, refused } from './document.ts';
import { checkCharacter } from './mod-11-2.ts';
import { typedNumber } from './typed-text.ts';

const LENGTH = 18;
const LENGTH_2017 = 15;
const SHAPE_2017 = /^[A-Z]{3}\d{12}$/;

/**
 * The foreign permanent resident ID card (外国人永久居留身份证) issued since 2023-12-01: 17 digits, the first a 9, and the check character of
 * ISO 7064 MOD 11-2. The places of birth date and sex are known from specimens only, so a date that is none refuses nobody: the number
 * then says nothing.
 */
export function readForeignResidentCard(input: string): NumberOutcome {
  const typed = typedNumber(input);
  if (typed.length !== LENGTH) return refused('length');
  if (!/^\d{17}[\dX]$/.test(typed)) return refused('characters');
  if (typed[0] !== '9') return refused('first_digit');
  if (/^(\d)\1*$/.test(typed)) return refused('repeated_digit');
  if (checkCharacter(typed) !== typed.at(-1)) return refused('check_character');
  return accepted(typed, factsOf(typed));
}

function factsOf(number: string): DocumentFacts {
  const birthDate = dashed(number.slice(6, 14));
  return isBirthDate(birthDate) ? { birthDate, sex: sexOf(number) } : {};
}

/**
 * The version of 2017, still valid: three letters of a country and twelve digits, none of them a check. It is a document of its own: which
 * card of 2023 replaced it, the number does not say, so the two never become one account by themselves.
 */
export function readForeignResidentCard2017(input: string): NumberOutcome {
  const typed = typedNumber(input);
  if (typed.length !== LENGTH_2017) return refused('length');
  return SHAPE_2017.test(typed) ? accepted(typed) : refused('characters');
}
