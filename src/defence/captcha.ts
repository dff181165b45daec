import { equalInConstantTime } from '../crypto/digests.ts';
import type { Sealer } from '../crypto/sealing.ts';
import { nowSeconds } from '../shared/clock.ts';
import { randomSecret, randomToken } from '../shared/random.ts';
import type { Counters } from '../storage/counters.ts';
import { drawDigits } from './captcha-image.ts';
import { soundDigits } from './captcha-sound.ts';

/**
 * Six digits to be read from a picture or counted from tones, for browsers without script and people who would rather. Made here, of no picture
 * or voice from elsewhere; the answer stands sealed in the token, so nothing is stored, and each token can be answered once.
 */
export interface Captcha {
  issue(): string;
  /** A PNG, and a WAV; undefined for a token that is none of ours or is over. */
  picture(token: string): Buffer | undefined;
  sound(token: string): Buffer | undefined;
  accepts(token: string, answer: string): Promise<boolean>;
}

const DIGITS = 6;
/** Few enough to count by ear. */
const HIGHEST = 6;
/** 256 is no multiple of 6: bytes above are drawn again, so that no digit is likelier. */
const FAIR_MAX = 252;
const CONTEXT = 'captcha';
const TOKEN = /^[\w-]{40,300}$/;
const NONCE_CHARACTERS = 16;
const KEPT_MAX = 200;

export function createCaptcha({
  sealer,
  counters,
  lifetimeSeconds,
}: {
  readonly sealer: Sealer;
  readonly counters: Pick<Counters, 'take'>;
  readonly lifetimeSeconds: number;
}): Captcha {
  /** A picture is drawn once: whoever asks for it again and again costs no drawing. */
  const kept = new Map<string, Buffer>();
  const keep = (name: string, make: () => Buffer): Buffer => {
    const known = kept.get(name);
    if (known !== undefined) return known;
    if (kept.size >= KEPT_MAX) kept.clear();
    const made = make();
    kept.set(name, made);
    return made;
  };

  const open = (token: string): { readonly answer: string; readonly nonce: string } | undefined => {
    if (!TOKEN.test(token)) return undefined;
    let text: string;
    try {
      text = sealer.unseal(Buffer.from(token, 'base64url'), CONTEXT);
    } catch {
      return undefined;
    }
    const [answer = '', until = '', nonce = ''] = text.split(' ');
    return Number(until) > nowSeconds() ? { answer, nonce } : undefined;
  };

  return {
    issue() {
      const text = `${freshDigits()} ${nowSeconds() + lifetimeSeconds} ${randomToken(NONCE_CHARACTERS)}`;
      return Buffer.from(sealer.seal(text, CONTEXT)).toString('base64url');
    },
    picture(token) {
      const opened = open(token);
      return opened && keep(`picture ${opened.nonce}`, () => drawDigits(opened.answer));
    },
    sound(token) {
      const opened = open(token);
      return opened && keep(`sound ${opened.nonce}`, () => soundDigits(opened.answer));
    },
    async accepts(token, answer) {
      const opened = open(token);
      if (opened === undefined) return false;
      // Spent before it is compared: each picture is good for one try.
      if ((await counters.take(`captcha:${opened.nonce}`, lifetimeSeconds)) !== 1) return false;
      return equalInConstantTime(opened.answer, answer.normalize('NFKC').replace(/\D/g, ''));
    },
  };
}

function freshDigits(): string {
  let digits = '';
  while (digits.length < DIGITS) {
    for (const byte of randomSecret(DIGITS))
      if (byte < FAIR_MAX && digits.length < DIGITS) digits += 1 + (byte % HIGHEST);
  }
  return digits;
}
