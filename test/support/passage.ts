import { createHash } from 'node:crypto';
import { deriveKeyBytes, hmacKey } from '../../src/crypto/digests.ts';
import { createSealer } from '../../src/crypto/sealing.ts';
import type { Puzzle } from '../../src/defence/proof-of-work.ts';

/** The puzzle a page asks the script to solve; undefined when it asks for nothing. */
export function puzzleIn(html: string): Puzzle | undefined {
  const [, text] = /data-puzzle="([^"]+)"/.exec(html) ?? [];
  return text === undefined
    ? undefined
    : (JSON.parse(text.replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&')) as Puzzle);
}

/** What the script of the page would send. */
export function solve({ challenge, salt, signature, maxnumber }: Puzzle): string {
  for (let number = 0; number <= maxnumber; number += 1) {
    if (
      createHash('sha256')
        .update(salt + number)
        .digest('hex') !== challenge
    )
      continue;
    return btoa(JSON.stringify({ algorithm: 'SHA-256', challenge, number, salt, signature }));
  }
  throw new Error('this puzzle has no answer');
}

/** What a person would read from the picture of this token. */
export function readCaptcha(token: string, encryptionKey: string): string {
  const sealer = createSealer(deriveKeyBytes(hmacKey(Buffer.from(encryptionKey, 'utf8')), 'captcha'));
  return sealer.unseal(Buffer.from(token, 'base64url'), 'captcha').split(' ')[0] ?? '';
}

export const captchaIn = (html: string): string | undefined => /name="captcha" value="([\w-]+)"/.exec(html)?.[1];
