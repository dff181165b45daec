import { accepted, type NumberOutcome, refused } from './document.ts';
import { typedText } from './typed-text.ts';

/**
 * The rules of the service print no length. From twenty on, so that a card number of eighteen with a character wrong, or one too many, is
 * never taken for one.
 */
const CHARS_MIN = 20;
const CHARS_MAX = 64;

/**
 * The network number (网号) of the national network identity service: letters and digits that stand for a person without saying who it is
 * (Order 173 of 2025). Opaque, so its letters keep their case: folding could make one number out of two people's.
 */
export function readNetNumber(input: string): NumberOutcome {
  const typed = typedText(input);
  if (typed === undefined || typed.length < CHARS_MIN || typed.length > CHARS_MAX) return refused('length');
  if (!/^[A-Za-z\d]+$/.test(typed)) return refused('characters');
  if (!/[A-Za-z]/.test(typed) || !/\d/.test(typed)) return refused('shape');
  return accepted(typed);
}
