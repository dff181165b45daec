import type { JWK } from 'jose';
import type { SignatureVerifier, Signer } from '../signer.ts';
import type { CertifiedKeys } from './certified-keys.ts';
import { sm2PublicJwk } from './sm2-jwk.ts';

/** One SM2 key that tokens are signed with or were: the first of several signs, all verify and are published. */
export interface TokenSealer {
  readonly kid: string;
  /** As it stands in the key set: public members, `kid`, `use` and `alg`, and `x5c` where the key is certified. */
  readonly publicJwk: JWK;
  readonly signer: Signer;
  readonly verifier: SignatureVerifier;
}

/** Joins what signs, wherever its key is, with what verifies. */
export function createTokenSealer(
  signer: Signer,
  verifier: SignatureVerifier,
  certified: CertifiedKeys = new Map(),
): TokenSealer {
  const bare = sm2PublicJwk(signer.publicKey, 'sig');
  const chain = certified.get(bare.kid);
  const publicJwk = chain === undefined ? bare : { ...bare, x5c: [...chain] };
  return { kid: bare.kid, publicJwk, signer, verifier };
}
