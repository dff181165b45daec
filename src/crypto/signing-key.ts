import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import { SM_JOSE } from './jose/profile.ts';
import { sm2PublicJwk } from './jose/sm2-jwk.ts';
import type { SignatureServer } from './remote/signature-server.ts';
import { freshSm2PrivateKey } from './sm2-key-file.ts';
import { sm2PublicKey } from './sm2-software-signer.ts';

/**
 * What we sign with: ES256 by default, RS256 because OpenID Connect Core 15.1 asks every provider for it, SM2 for portals that
 * ask for it.
 */
export const SIGNING_ALGORITHMS = ['ES256', 'RS256', SM_JOSE.signature] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** Those in use: all of them, or SM2 alone. */
export const signingAlgorithms = (smOnly: boolean): readonly SigningAlgorithm[] =>
  smOnly ? [SM_JOSE.signature] : SIGNING_ALGORITHMS;

const RSA_BITS = 2048;

export interface SigningKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly publicJwk: JWK;
  /** With its private members, or with the name of the key where it is held (`remoteKeyId`). */
  readonly privateJwk: JWK;
}

/** Makes a key pair of one algorithm, here or elsewhere. */
export type MakeSigningKey = (alg: SigningAlgorithm) => Promise<SigningKey>;

/** The member of a JWK of ours that stands in the place of `d` when the private number is with a signature server. */
const REMOTE_KEY_ID = 'svs_key_id';

/** The name under which a signature server holds this key, or undefined when it is here. */
export function remoteKeyId(jwk: JWK): string | undefined {
  const { [REMOTE_KEY_ID]: keyId } = jwk as Readonly<Record<string, unknown>>;
  return typeof keyId === 'string' ? keyId : undefined;
}

/** SM2 keys are made and kept by the server; all others here. */
export const remoteSigningKeys =
  (server: Pick<SignatureServer, 'newKey'>): MakeSigningKey =>
  async (alg) => {
    if (alg !== SM_JOSE.signature) return freshSigningKey(alg);
    const { keyId, publicKey } = await server.newKey();
    const publicJwk = sm2PublicJwk(publicKey, 'sig');
    return { kid: publicJwk.kid, alg, publicJwk, privateJwk: { ...publicJwk, [REMOTE_KEY_ID]: keyId } };
  };

/**
 * A new key pair, generated off the event loop. Both halves carry `kid` (RFC 7638 thumbprint, SHA-256), `use` and `alg`, so
 * that a key is good for one algorithm only (RFC 8725 3.1).
 */
export async function freshSigningKey(alg: SigningAlgorithm): Promise<SigningKey> {
  if (alg === SM_JOSE.signature) return freshSm2Key();
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

/** The private member is 32 bytes in base64url (RFC 7518 6.2.2.1). */
function freshSm2Key(): SigningKey {
  const privateKey = freshSm2PrivateKey();
  const publicJwk = sm2PublicJwk(sm2PublicKey(privateKey), 'sig');
  const d = Buffer.from(privateKey, 'hex').toString('base64url');
  return { kid: publicJwk.kid, alg: SM_JOSE.signature, publicJwk, privateJwk: { ...publicJwk, d } };
}
