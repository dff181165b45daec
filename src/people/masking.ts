import type { IdNumber } from './id-number.ts';

declare const maskedName: unique symbol;
declare const maskedIdNumber: unique symbol;

/** A name that may be shown where the person need only recognise it. */
export type MaskedName = string & { readonly [maskedName]: true };

/** An ID number of which the first and the last character are left. */
export type MaskedIdNumber = string & { readonly [maskedIdNumber]: true };

const SHORT_NAME_CHARS = 3;
const SEPARATOR = /[·・‧•.\s]/u;

/**
 * Hides the family name, as the provincial portals do: `王小明` becomes `*小明`, `王安` `*安`. Of names longer than three
 * characters (`欧阳修文`, `阿卜杜拉·买买提`, `John Smith`) only the last character is left, since hiding one would hide nothing.
 * Counts code points: rare characters stand outside the basic plane.
 */
export function maskName(name: string): MaskedName {
  const characters = Array.from(name);
  if (characters.length === 1) return '*' as MaskedName;
  const hidden = characters.length <= SHORT_NAME_CHARS ? 1 : characters.length - 1;
  return characters
    .map((character, place) => (place < hidden && !SEPARATOR.test(character) ? '*' : character))
    .join('') as MaskedName;
}

/**
 * First and last character only. The wider forms in use (first six and last four, or the birth date) give away the region or
 * the birth date, and with the name beside it the rest can be guessed.
 */
export const maskIdNumber = (number: IdNumber): MaskedIdNumber =>
  `${number.slice(0, 1)}${'*'.repeat(number.length - 2)}${number.slice(-1)}` as MaskedIdNumber;
