import { generateURI, ScureBase32Plugin, verifySync } from 'otplib';
import { nowSeconds } from '../shared/clock.ts';
import { randomSecret } from '../shared/random.ts';
import type { Attempts } from './attempts.ts';
import type { BoundFactors } from './bound-factors.ts';
import type { Factor } from './factor.ts';
import { typedCode } from './factor-attempts.ts';
import { createSteppedCode } from './stepped-code.ts';

/** What every authenticator app can do: RFC 6238 with HMAC-SHA-1, six digits, half a minute. */
const PERIOD_SECONDS = 30;
const DIGITS = 6;
/** 160 bits, the length of the digest (RFC 4226 section 4). Apps of old made do with half of it (V60). */
const SECRET_BYTES = 20;
const FORM = /^\d{6}$/;
/** One step early or late, and no more: that is how long a code that was overheard is worth something (V22). */
const WINDOW_SECONDS = PERIOD_SECONDS;

const base32 = new ScureBase32Plugin();

/** A new secret as apps and people read it: base32, 32 characters. */
export const newTotpSecret = (): string => base32.encode(randomSecret(SECRET_BYTES), { padding: false });

/** What the QR code says: `otpauth://totp/...`. `issuer` and `account` are shown by the app. */
export const totpAddress = (secret: string, issuer: string, account: string): string =>
  generateURI({ issuer, label: account, secret, digits: DIGITS, period: PERIOD_SECONDS });

/** The step whose code this is, the present one or a neighbour; undefined for none. */
export function totpStep(secret: string, code: string): number | undefined {
  if (!FORM.test(code)) return undefined;
  const judged = verifySync({
    secret,
    token: code,
    epoch: nowSeconds(),
    period: PERIOD_SECONDS,
    digits: DIGITS,
    epochTolerance: WINDOW_SECONDS,
  });
  return judged.valid && 'timeStep' in judged ? judged.timeStep : undefined;
}

/** Codes of an authenticator app. Our clock alone counts: one that is wrong belongs to the phone, and is put right there. */
export const createTotp = (sources: { readonly boundFactors: BoundFactors; readonly attempts: Attempts }): Factor =>
  createSteppedCode({
    ...sources,
    kind: 'totp',
    amr: ['otp'],
    strength: 'possession',
    stepOf: ({ secret }, { code }) => totpStep(secret, typedCode(code)),
    driftAfter: () => 0,
  });
