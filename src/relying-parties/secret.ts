import { hash, timingSafeEqual } from 'node:crypto';
import { randomToken } from '../shared/random.ts';

/** The digest a client secret is stored under. */
export type SecretDigestAlgorithm = 'sha256' | 'sm3';

/** 43 characters of 6 bits: 258 bits, which nobody guesses, so that one unsalted digest is enough and a look costs microseconds. */
const SECRET_CHARACTERS = 43;

export const newSecret = (): string => randomToken(SECRET_CHARACTERS);

/** The stored form of a secret, `sha256:` or `sm3:` and base64url. */
export const digestSecret = (secret: string, algorithm: SecretDigestAlgorithm): string =>
  `${algorithm}:${hash(algorithm, secret, 'base64url')}`;

/** Whether `presented` is the secret of a stored digest, in constant time (A13). False too for a digest of unknown form. */
export function secretMatches(stored: string, presented: string): boolean {
  const algorithm = stored.startsWith('sm3:') ? 'sm3' : 'sha256';
  const expected = Buffer.from(stored);
  const actual = Buffer.from(digestSecret(presented, algorithm));
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}
