/** No document has more; what is longer is not looked at. */
const INPUT_CHARS_MAX = 128;
/** Characters a person cannot see: white space, zero-width marks, direction marks, variation selectors. */
const INVISIBLE = /[\s\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * What somebody typed, without what cannot be seen and in NFKC: everything that looks the same is the same text (G1). Undefined when it
 * is longer than any name or number of a person.
 */
export function typedText(input: string): string | undefined {
  if (input.length > INPUT_CHARS_MAX) return undefined;
  return input.normalize('NFKC').replace(INVISIBLE, '');
}

/** `typedText` in capitals, for numbers that know no lower case. Empty where there is nothing, or too much. */
export const typedNumber = (input: string): string => (typedText(input) ?? '').toUpperCase();
