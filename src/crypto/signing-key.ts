import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';

/** What we sign with: ES256 by default, RS256 because OpenID Connect Core 15.1 asks every provider for it. */
export const SIGNING_ALGORITHMS = ['ES256', 'RS256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

const RSA_BITS = 2048;

export interface SigningKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
}

/**
 * A new key pair, generated off the event loop. Both halves carry `kid` (RFC 7638 thumbprint, SHA-256), `use` and `alg`, so
 * that a key is good for one algorithm only (RFC 8725 3.1).
 */
export async function freshSigningKey(alg: SigningAlgorithm): Promise<SigningKey> {
  const pair = await generateKeyPair(alg, { extractable: true, modulusLength: RSA_BITS });
  const bare = await exportJWK(pair.publicKey);
  const named = { kid: await calculateJwkThumbprint(bare), use: 'sig', alg };
  return {
    kid: named.kid,
    alg,
    publicJwk: { ...bare, ...named },
    privateJwk: { ...(await exportJWK(pair.privateKey)), ...named },
  };
}
