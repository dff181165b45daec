import { isCommonPassword, isPattern } from './password-blocklist.ts';

/** Lengths in characters (Unicode code points) of the normal form. */
export interface PasswordLengths {
  readonly minLength: number;
  readonly maxLength: number;
  /** Of capitals, small letters, digits and other characters, how many kinds it must have; 1 demands nothing. */
  readonly kindsMin?: number | undefined;
}

/** What is known about the person, and the words of the service: none of it may carry a password. */
export interface PasswordContext {
  readonly idNumber?: string | undefined;
  /** `YYYY-MM-DD`. */
  readonly birthDate?: string | undefined;
  readonly phone?: string | undefined;
  readonly name?: string | undefined;
  readonly email?: string | undefined;
  readonly words?: readonly string[] | undefined;
  /** Whether it is known from a breach (breached-passwords.ts). */
  readonly breached?: boolean | undefined;
}

export type PasswordRefusal = 'ill_formed' | 'too_short' | 'too_long' | 'kinds' | 'common' | 'personal' | 'context';

/** Code units taken in at all; NFKC may lengthen a text eighteenfold. Twice what 256 characters outside the basic plane need. */
const INPUT_UNITS_PER_CHARACTER = 4;

/**
 * The one Unicode rule for passwords, applied when one is set and when one is checked: NFKC (NIST SP 800-63B), nothing else.
 * A full-width letter is its ASCII letter, because which of them a keyboard sends depends on its mode; case, blanks and every
 * other character count as typed. Refused before any hash: what is longer than `maxLength` and what is no well-formed text.
 */
export function normalisePassword(
  typed: string,
  maxLength: number,
):
  | { readonly ok: true; readonly password: string }
  | { readonly ok: false; readonly reason: 'ill_formed' | 'too_long' } {
  if (typed.length > maxLength * INPUT_UNITS_PER_CHARACTER) return { ok: false, reason: 'too_long' };
  if (!typed.isWellFormed()) return { ok: false, reason: 'ill_formed' };
  const password = typed.normalize('NFKC');
  return characterCount(password) > maxLength ? { ok: false, reason: 'too_long' } : { ok: true, password };
}

/**
 * Whether a person may choose this password: length, then what attackers try first, then what is known about the person
 * (security S1, D3). A composition rule only where the house must have one: they make passwords worse. Pure.
 */
export function judgePassword(
  typed: string,
  { minLength, maxLength, kindsMin = 1 }: PasswordLengths,
  context: PasswordContext,
): { readonly ok: true } | { readonly ok: false; readonly reason: PasswordRefusal } {
  const normal = normalisePassword(typed, maxLength);
  if (!normal.ok) return normal;
  const { password } = normal;
  if (characterCount(password) < minLength) return { ok: false, reason: 'too_short' };
  if (kindsIn(password) < kindsMin) return { ok: false, reason: 'kinds' };
  if (context.breached === true || isCommonPassword(password) || isPattern(password))
    return { ok: false, reason: 'common' };
  if (holdsPersonalFragment(password, context)) return { ok: false, reason: 'personal' };
  if (leansOnWords(password, context.words ?? [])) return { ok: false, reason: 'context' };
  return { ok: true };
}

const KINDS = [/\p{Lu}/u, /\p{Ll}/u, /\p{Nd}/u, /[^\p{Lu}\p{Ll}\p{Nd}]/u];

const kindsIn = (text: string): number => KINDS.filter((kind) => kind.test(text)).length;

const characterCount = (text: string): number => Array.from(text).length;

/** Six characters: the end of an ID number that offices hand out as a first password, and a birth date without its century. */
const FRAGMENT_CHARS = 6;

function holdsPersonalFragment(password: string, context: PasswordContext): boolean {
  const { idNumber = '', birthDate = '', phone = '', name = '', email = '' } = context;
  const folded = password.toLowerCase();
  const [year = '', month = '', day = ''] = birthDate.split('-');
  const pieces = [
    ...fragmentsOf(idNumber.toLowerCase()),
    ...fragmentsOf(phone.replace(/\D/g, '')),
    ...(year === '' ? [] : [year + month + day, year.slice(2) + month + day, month + day + year, day + month + year]),
    ...[name.replace(/\s/g, '').toLowerCase()].filter((piece) => characterCount(piece) >= 2),
    ...[email.split('@', 1)[0]!.toLowerCase()].filter((piece) => piece.length >= FRAGMENT_CHARS),
  ];
  return pieces.some((piece) => folded.includes(piece));
}

function fragmentsOf(text: string): readonly string[] {
  const count = Math.max(0, text.length - FRAGMENT_CHARS + 1);
  return Array.from({ length: count }, (_, start) => text.slice(start, start + FRAGMENT_CHARS));
}

/** A word of the service with a few characters around it is as good as on a list; inside a long passphrase it does no harm. */
function leansOnWords(password: string, words: readonly string[]): boolean {
  const folded = password.toLowerCase();
  return words
    .map((word) => word.toLowerCase())
    .some(
      (word) => word !== '' && folded.includes(word) && characterCount(folded.replaceAll(word, '')) < FRAGMENT_CHARS,
    );
}
