import { nowSeconds } from '../shared/clock.ts';

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

const TIME_CHARACTERS = 7;

export const prefixOf = (model: string): string | undefined =>
  Object.hasOwn(PREFIXES, model) ? PREFIXES[model as keyof typeof PREFIXES] : undefined;

/** The library's random id (256 bits; 21 characters for pushed requests) behind type and time of issue, base 36 seconds. */
export const typedId = (model: keyof typeof PREFIXES, random: string): string =>
  `${PREFIXES[model]}${nowSeconds().toString(36).padStart(TIME_CHARACTERS, '0')}${random}`;

/** The time part of an id that begins with `prefix`. Foreign text at worst: it only leads a look-up astray. */
export const issueTimeOf = (id: string, prefix: string): string =>
  id.slice(prefix.length, prefix.length + TIME_CHARACTERS);
