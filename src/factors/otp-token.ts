import { z } from 'zod';
import { equalInConstantTime } from '../crypto/digests.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Attempts } from './attempts.ts';
import type { BoundFactors } from './bound-factors.ts';
import type { Factor } from './factor.ts';
import { typedCode } from './factor-attempts.ts';
import { createSteppedCode } from './stepped-code.ts';
import { TOKEN_ALGORITHMS, type TokenSeed, tokenCode } from './token-codes.ts';

/** A token whose clock has gone astray is found within two hours of ours, or forty minutes where a step is twenty seconds. */
const ASTRAY_STEPS_MAX = 120;
/** Around where the token was seen last. */
const WINDOW_STEPS = 1;
const FORM = /^\d{6,10}$/;

const SEED = z.strictObject({
  algorithm: z.enum(TOKEN_ALGORITHMS),
  key: z.string().regex(/^(?:[0-9a-f]{2}){16,64}$/),
  periodSeconds: z.int().min(1).max(60),
  digits: z.int().min(6).max(10),
});

/** As a seed is kept, sealed. */
export const writeSeed = (seed: TokenSeed): string => JSON.stringify(seed);
export const readSeed = (text: string): TokenSeed => SEED.parse(JSON.parse(text));

/** The step that is under way by our clock. */
export const presentStep = ({ periodSeconds }: TokenSeed): number => Math.floor(nowSeconds() / periodSeconds);

/** Looks for the step of a code, the nearest first, around `centre`. */
function stepNear(seed: TokenSeed, code: string, centre: number, reach: number): number | undefined {
  if (!FORM.test(code) || code.length !== seed.digits) return undefined;
  for (let away = 0; away <= reach; away += 1) {
    for (const step of away === 0 ? [centre] : [centre - away, centre + away]) {
      if (step >= 0 && equalInConstantTime(tokenCode(seed, step), code)) return step;
    }
  }
  return undefined;
}

/**
 * Where a token stands that shows these two codes one after the other: the step of the second, within hours of our clock. Two in a row
 * are needed, since one code of a million fits somewhere among so many steps by chance.
 */
export function alignedStep(seed: TokenSeed, first: string, second: string): number | undefined {
  const present = presentStep(seed);
  if (!FORM.test(first) || !FORM.test(second)) return undefined;
  for (let away = 0; away <= ASTRAY_STEPS_MAX; away += 1) {
    for (const step of away === 0 ? [present] : [present - away, present + away]) {
      if (step < 1 || !equalInConstantTime(tokenCode(seed, step), second)) continue;
      if (equalInConstantTime(tokenCode(seed, step - 1), first)) return step;
    }
  }
  return undefined;
}

/**
 * Whether a token within hours of our clock shows this code, in a step after `lastStep`. It proves nothing, since a code made up fits once
 * in some thousand times; it only says that asking for the next one is worth while (RFC 4226 7.4).
 */
export function isWithinReach(seed: TokenSeed, code: string, lastStep: number): boolean {
  if (!FORM.test(code) || code.length !== seed.digits) return false;
  const present = presentStep(seed);
  const first = Math.max(lastStep + 1, present - ASTRAY_STEPS_MAX);
  for (let step = first; step <= present + ASTRAY_STEPS_MAX; step += 1) {
    if (equalInConstantTime(tokenCode(seed, step), code)) return true;
  }
  return false;
}

/**
 * Codes of a hardware token (GM/T 0021). `entered` holds `code`; with `next`, the code the token shows after it, a token whose clock has
 * gone astray is found again. How far it is ahead is remembered with each use, so that one in use does not get lost.
 */
export const createOtpToken = (sources: { readonly boundFactors: BoundFactors; readonly attempts: Attempts }): Factor =>
  createSteppedCode({
    ...sources,
    kind: 'otp_token',
    amr: ['otp', 'hwk'],
    strength: 'cryptographic',
    stepOf({ secret }, { code, next }, drift) {
      const seed = readSeed(secret);
      const [first, second] = [typedCode(code), typedCode(next)];
      return second === ''
        ? stepNear(seed, first, presentStep(seed) + drift, WINDOW_STEPS)
        : alignedStep(seed, first, second);
    },
    // Of two that did not fit together the latter may be the first of a pair that does.
    isAstray: ({ secret }, { code, next }, lastStep) =>
      isWithinReach(readSeed(secret), typedCode(next) || typedCode(code), lastStep),
    driftAfter: ({ secret }, step) => step - presentStep(readSeed(secret)),
  });
