import type { IdentityDocument } from './documents/document.ts';

declare const maskedName: unique symbol;
declare const maskedNumber: unique symbol;
declare const maskedContact: unique symbol;

/** A name that may be shown where the person need only recognise it. */
export type MaskedName = string & { readonly [maskedName]: true };

/** The number of a document of which only the ends are left. */
export type MaskedNumber = string & { readonly [maskedNumber]: true };

/** A phone number, mailbox or user name that may be shown to its owner. */
export type MaskedContact = string & { readonly [maskedContact]: true };

/**
 * How much of an ID number is shown. `strong`: the first and the last character. `ordinary`: also the fifth to the twelfth, by which
 * the person recognises it, and by which anybody learns the birth year and month.
 */
export type MaskingLevel = 'strong' | 'ordinary';

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

/** The text with `*` in place of every character that is not shown; `shown` counts from 1. */
const keeping = (text: string, shown: (place: number, length: number) => boolean): string => {
  const characters = Array.from(text);
  return characters.map((character, at) => (shown(at + 1, characters.length) ? character : '*')).join('');
};

/** The first of the characters that say when somebody was born, with the end of the region before them. */
const ORDINARY_FIRST = 5;
/** The last of them: year and month, of which the first generation of cards printed two digits less. */
const ordinaryLast = (length: number): number => (length === 15 ? 10 : 12);

/**
 * A number built like the citizen ID number, with 18 characters or 15. First and last character by default: the wider forms in use
 * (first six and last four, or the birth date) give away the region or the birth date, and with the name beside it the rest can be
 * guessed.
 */
export const maskIdNumber = (number: string, level: MaskingLevel = 'strong'): MaskedNumber =>
  keeping(
    number,
    (place, length) =>
      place === 1 ||
      place === length ||
      (level === 'ordinary' && place >= ORDINARY_FIRST && place <= ordinaryLast(length)),
  ) as MaskedNumber;

/** Numbers that hold a birth date are masked like the citizen ID number. */
const LIKE_ID_NUMBERS: ReadonlySet<string> = new Set([
  'resident_id_card',
  'hmt_residence_permit',
  'foreign_resident_card',
]);
/** A network number is long: a third of it would be most of what makes it unique. */
const ENDS_MAX = 5;

/** Any document: the ID numbers as above, every other with its first and last third, at most five characters at each end. */
export function maskDocument({ type, number }: IdentityDocument, level: MaskingLevel = 'strong'): MaskedNumber {
  if (LIKE_ID_NUMBERS.has(type)) return maskIdNumber(number, level);
  return keeping(number, (place, length) => {
    const third = Math.min(Math.floor(length / 3), ENDS_MAX);
    return place <= third || place > length - third;
  }) as MaskedNumber;
}

const MAINLAND = '+86';

/** `137****9050`: three and four digits stay. Other countries' numbers keep their `+` and the first two digits, and the last four. */
export function maskPhone(phone: string): MaskedContact {
  const number = phone.startsWith(MAINLAND) ? phone.slice(MAINLAND.length) : phone;
  return keeping(number, (place, length) => place <= 3 || place > Math.max(length - 4, 3)) as MaskedContact;
}

const LOCAL_PART_SHOWN = 3;

/** `wan***@example.cn`; of a local part of one to three characters only the first stays. The stars do not tell its length. */
export function maskEmail(email: string): MaskedContact {
  const at = email.lastIndexOf('@');
  const local = Array.from(email.slice(0, Math.max(at, 0)));
  const shown = local.length > LOCAL_PART_SHOWN ? LOCAL_PART_SHOWN : 1;
  return `${local.slice(0, shown).join('')}***${email.slice(at)}` as MaskedContact;
}

/** A user name, chosen to be seen, keeps its first and last character. */
export const maskUserName = (name: string): MaskedContact =>
  keeping(name, (place, length) => place === 1 || place === length) as MaskedContact;
