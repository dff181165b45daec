import { isCountry } from './countries.ts';
import { accepted, type NumberOutcome, refused } from './document.ts';
import { typedNumber } from './typed-text.ts';

/** Ordinary passports, then those for public affairs, service and diplomacy. Letters that look like digits are not used. */
const CHINESE = [/^E\d{8}$/, /^E[A-HJ-NP-Z]\d{7}$/, /^G\d{8}$/, /^[PSD]\d{7,8}$/, /^[PSD]E\d{7}$/];

/** A passport of the People's Republic, for citizens who live abroad (华侨). */
export function readChinesePassport(input: string): NumberOutcome {
  const typed = typedNumber(input);
  if (typed.length !== 8 && typed.length !== 9) return refused('length');
  if (!/^[A-Z\d]+$/.test(typed)) return refused('characters');
  return CHINESE.some((shape) => shape.test(typed)) ? accepted(typed) : refused('shape');
}

/** What the mainland issues itself has types of its own: the same booklet must not become two keys. */
const NOT_FOREIGN: ReadonlySet<string> = new Set(['CHN', 'HKG', 'MAC', 'TWN']);
const FOREIGN_CHARS_MIN = 5;
const FOREIGN_CHARS_MAX = 20;

export const isPassportIssuer = (issuer: string): boolean => isCountry(issuer) && !NOT_FOREIGN.has(issuer);

/** A foreign passport: 5 to 20 letters and digits, which mean something only beside the country. A renewed one has another number. */
export function readForeignPassport(input: string, issuer: string): NumberOutcome {
  if (!isPassportIssuer(issuer)) return refused('issuer');
  const typed = typedNumber(input);
  if (typed.length < FOREIGN_CHARS_MIN || typed.length > FOREIGN_CHARS_MAX) return refused('length');
  return /^[A-Z\d]+$/.test(typed) ? accepted(typed) : refused('characters');
}
