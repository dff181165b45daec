import { framed, hmacKey } from '../crypto/digests.ts';
import { hmac } from '../crypto/hmac.ts';
import { nowMs } from '../shared/clock.ts';

/**
 * How the ids of what we hand out begin. The type makes introspection and revocation one look-up instead of three, and a leaked
 * token recognisable to secret scanners; the time of issue behind it is no secret and keeps b-tree inserts local: with random
 * keys alone every token dirties an index page of its own, and each such page is written twice.
 */
const PREFIXES = {
  AccessToken: 'at_',
  AuthorizationCode: 'co_',
  ClientCredentials: 'ct_',
  Grant: 'gr_',
  PushedAuthorizationRequest: 'pr_',
  RefreshToken: 'rt_',
} as const;

export const TYPED_MODELS = Object.keys(PREFIXES) as readonly (keyof typeof PREFIXES)[];

/** Base 36 milliseconds: a whole second would still scatter a busy second's rows over many pages. Enough until the year 2059. */
const TIME_CHARACTERS = 8;

export const prefixOf = (model: string): string | undefined =>
  Object.hasOwn(PREFIXES, model) ? PREFIXES[model as keyof typeof PREFIXES] : undefined;

/** The library's random id (256 bits; 21 characters for pushed requests) behind type and time of issue. */
export const typedId = (model: keyof typeof PREFIXES, random: string): string =>
  `${PREFIXES[model]}${nowMs().toString(36).padStart(TIME_CHARACTERS, '0')}${random}`;

/** The time part of an id that begins with `prefix`. Foreign text at worst: it only leads a look-up astray. */
export const issueTimeOf = (id: string, prefix: string): string =>
  id.slice(prefix.length, prefix.length + TIME_CHARACTERS);

/** The id of the token that follows on a spent refresh token. */
export type Succession = (model: keyof typeof PREFIXES, spentToken: string) => string;

/**
 * Ids that follow from the spent token: a relying party whose network lost our answer and asks once more is given the same
 * tokens again, though nothing of the first answer was kept (A8). HMAC-SM3 under a key of the house over a token of 256
 * random bits: who knows the spent token still cannot tell its successor.
 */
export function createSuccession(secret: Uint8Array): Succession {
  const key = hmacKey(secret);
  return (model, spentToken) => {
    const mac = hmac('sm3', key, framed(model, spentToken), 'base64url');
    return `${PREFIXES[model]}${issueTimeOf(spentToken, PREFIXES.RefreshToken)}${mac}`;
  };
}
