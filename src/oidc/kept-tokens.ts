import type { AdapterPayload, Provider } from 'oidc-provider';
import { nowSeconds } from '../shared/clock.ts';
import { randomToken } from '../shared/random.ts';
import type { CarriedCodes } from './carried-codes.ts';
import { type Succession, typedId } from './token-ids.ts';

/** The models a short way reads and writes by itself. */
export type KeptModel = 'AccessToken' | 'AuthorizationCode' | 'ClientCredentials' | 'RefreshToken';

/** A token as it is kept, with its own text as `jti` and, once it was spent, `consumed`. */
export type KeptToken = AdapterPayload;

/** A token a short way has made. */
export interface MadeToken {
  /** What its holder shows. */
  readonly value: string;
  readonly lifetimeSeconds: number;
  readonly kept: KeptToken;
}

/** How a token is to be kept; `spent` is the refresh token it succeeds. */
export interface Making {
  readonly lifetimeSeconds: number;
  readonly spent?: string | undefined;
}

/** Tokens by their rows. */
export interface KeptTokens {
  /** Undefined where there is none of this kind: spent ones are found, and those that are over. */
  find(model: KeptModel, value: string): Promise<KeptToken | undefined>;
  make(model: KeptModel, members: KeptToken, making: Making): Promise<MadeToken>;
  /** Noted for the commit, which decides who was first. */
  consume(model: KeptModel, value: string): Promise<void>;
}

const RANDOM_CHARACTERS = 43;

/**
 * Reads and writes tokens in the very form in which the library keeps them, through the same adapter, and makes no object of its classes out
 * of each: those walk through the members of a token three times for one that is written, and twice for one that is read. Tests compare the
 * rows of both ways. With `writeCarried` a code that can carry what it stands for is not kept.
 */
export function createKeptTokens(
  provider: Provider,
  successorId: Succession,
  writeCarried: CarriedCodes['write'] | undefined,
): KeptTokens {
  return {
    async find(model, value) {
      const kept = (await provider[model].adapter.find(value)) as KeptToken | undefined;
      return kept?.kind === model ? kept : undefined;
    },
    async make(model, members, { lifetimeSeconds, spent }) {
      const iat = nowSeconds();
      const kept: KeptToken = { iat, exp: iat + lifetimeSeconds, ...members, kind: model };
      const carried = model === 'AuthorizationCode' ? writeCarried?.(kept) : undefined;
      if (carried !== undefined) return { value: carried, lifetimeSeconds, kept };
      const value = spent === undefined ? typedId(model, randomToken(RANDOM_CHARACTERS)) : successorId(model, spent);
      await provider[model].adapter.upsert(value, kept, lifetimeSeconds);
      return { value, lifetimeSeconds, kept };
    },
    async consume(model, value) {
      await provider[model].adapter.consume(value);
    },
  };
}

/** The end of a token is judged to the second here, and not with the tolerance for clocks that rows are kept for. Pure. */
export const isOver = ({ exp = 0 }: KeptToken): boolean => exp <= nowSeconds();

/** What is left of a token that is not over. */
export const secondsLeft = ({ exp = 0 }: KeptToken): number => exp - nowSeconds();

export const scopesOf = ({ scope = '' }: KeptToken): Set<string> => new Set(scope.split(' '));
