import { decodeProtectedHeader, type JWTPayload } from 'jose';
import { nowMs } from '../../src/shared/clock.ts';
import { verifyToken } from '../verify/node/verify-token.ts';

/** The JOSE name of SM2 signatures (GM/T 0125). */
export const SM2_ALG = 'SGD_SM3_SM2';

/** What is wrong with the token. When the keys could not be fetched, something else is thrown. */
export class Sm2TokenRefused extends Error {}

export interface Expected {
  readonly issuer: string;
  readonly audience: string;
  readonly nonce?: string;
  /** The `typ` of the header, where the kind of token has one. */
  readonly typ?: string;
}

/** Judges tokens that are signed with SM2, for a portal that takes no others. */
export interface Sm2Judge {
  /** The claims of a genuine token. Throws `Sm2TokenRefused`. */
  claimsOf(token: string, expected: Expected): Promise<JWTPayload>;
}

type Keys = readonly Readonly<Record<string, unknown>>[];

const KEYS_AGE_MS = 600_000;
/** A `kid` nobody knows must not make us ask for the keys with every token. */
const COOLDOWN_MS = 5_000;
const ANSWER_TIMEOUT_MS = 5_000;

/** Keeps the key set of `jwksUri` for ten minutes, and asks for it anew when a key is not in it. */
export function createSm2Judge(jwksUri: string): Sm2Judge {
  let known: { readonly keys: Keys; readonly atMs: number } | undefined;

  const keysFor = async (kid: string | undefined): Promise<Keys> => {
    const ageMs = known === undefined ? Number.POSITIVE_INFINITY : nowMs() - known.atMs;
    const holds = known?.keys.some((key) => key.kid === kid) === true;
    if (known !== undefined && ageMs < (holds ? KEYS_AGE_MS : COOLDOWN_MS)) return known.keys;
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const answer = await fetch(jwksUri, { redirect: 'error', signal });
    if (!answer.ok) throw new Error(`the key set is not to be had: ${answer.status}`);
    const { keys } = (await answer.json()) as { readonly keys: Keys };
    known = { keys, atMs: nowMs() };
    return keys;
  };

  return {
    async claimsOf(token, { typ, ...expected }) {
      const header = refusing(() => decodeProtectedHeader(token));
      if (header.typ !== typ) throw new Sm2TokenRefused('another kind of token');
      const keys = await keysFor(header.kid);
      return refusing(() => verifyToken(token, keys, expected));
    },
  };
}

function refusing<T>(judge: () => T): T {
  try {
    return judge();
  } catch (error) {
    throw new Sm2TokenRefused(error instanceof Error ? error.message : 'malformed');
  }
}
