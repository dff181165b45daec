import { setTimeout as delay } from 'node:timers/promises';
import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';
import { allowInsecureRequests, ClientSecretBasic, type Configuration, discovery } from 'openid-client';
import { createSm2Judge, SM2_ALG, type Sm2Judge } from './sm2-judge.ts';

const ANSWER_TIMEOUT_SECONDS = 5;
const DISCOVERY_PAUSES_MS = [0, 200, 600] as const;
const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** The identity server did not answer. The page says so calmly, and the next request tries again. */
export class IdentityServerUnavailable extends Error {}

/** What a portal knows about its identity server once it has asked. */
export interface IdentityServer {
  readonly configuration: Configuration;
  readonly jwks: JWTVerifyGetKey;
  /** In the place of `jwks` at a portal that takes tokens signed with SM2 and no others. */
  readonly sm2?: Sm2Judge;
}

export interface Connection {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The one algorithm of tokens this portal takes; every usual one unless told. */
  readonly tokenAlg?: TokenAlg;
}

export const TOKEN_ALGS = ['ES256', SM2_ALG] as const;
export type TokenAlg = (typeof TOKEN_ALGS)[number];

/**
 * Returns a function that finds the identity server at first need (OIDC Discovery 1.0 section 4) and remembers it. A failure is
 * not remembered, so a portal may start before its server. Plain http is accepted for a loopback issuer and for no other.
 * The function throws IdentityServerUnavailable.
 */
export function lazyIdentityServer({
  issuer,
  clientId,
  clientSecret,
  tokenAlg,
}: Connection): () => Promise<IdentityServer> {
  const address = new URL(issuer);
  const plain = address.protocol === 'http:';
  if (plain && !LOOPBACK_HOST.test(address.hostname)) throw new Error(`An issuer needs https: ${issuer}`);

  const metadata = tokenAlg && { id_token_signed_response_alg: tokenAlg };

  const ask = async (): Promise<IdentityServer> => {
    const configuration = await discovery(address, clientId, metadata, ClientSecretBasic(clientSecret), {
      timeout: ANSWER_TIMEOUT_SECONDS,
      execute: plain ? [allowInsecureRequests] : [],
    });
    const jwksUri = configuration.serverMetadata().jwks_uri;
    if (jwksUri === undefined) throw new Error('The identity server publishes no keys.');
    const jwks = createRemoteJWKSet(new URL(jwksUri), { cooldownDuration: 5_000 });
    return { configuration, jwks, ...(tokenAlg === SM2_ALG && { sm2: createSm2Judge(jwksUri) }) };
  };

  const askPatiently = async (): Promise<IdentityServer> => {
    let cause: unknown;
    for (const pauseMs of DISCOVERY_PAUSES_MS) {
      await delay(pauseMs);
      try {
        return await ask();
      } catch (error) {
        cause = error;
      }
    }
    throw new IdentityServerUnavailable('discovery failed', { cause });
  };

  let known: Promise<IdentityServer> | undefined;
  return () => {
    known ??= askPatiently().catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };
}
