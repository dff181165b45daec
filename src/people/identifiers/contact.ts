import { z } from 'zod';
import { typedText } from '../documents/typed-text.ts';

const DIVIDERS = /[()\-–.]/g;
/** A mainland mobile number with what people write before it. */
const MAINLAND_MOBILE = /^(?:\+?86|0086)?(1[3-9]\d{9})$/;
const E164 = /^\+[1-9]\d{6,14}$/;

/** A phone number as E.164; a mainland mobile number may come without its country code. Undefined for what is none. */
export function normalPhone(typed: string): string | undefined {
  const text = (typedText(typed) ?? '').replace(DIVIDERS, '');
  const mainland = MAINLAND_MOBILE.exec(text);
  if (mainland) return `+86${mainland[1]}`;
  return E164.test(text) ? text : undefined;
}

const EMAIL_CHARS_MAX = 254;
const EMAIL = z.email();
const INPUT_CHARS_MAX = 320;

/**
 * An address of a mailbox in lower case: no mail house of size tells `A@x` from `a@x`, and two accounts on one mailbox would be two
 * doors to one person. Undefined for what is none.
 */
export function normalEmail(typed: string): string | undefined {
  if (typed.length > INPUT_CHARS_MAX) return undefined;
  const text = typed.normalize('NFKC').trim().toLowerCase();
  return text.length <= EMAIL_CHARS_MAX && EMAIL.safeParse(text).success ? text : undefined;
}
