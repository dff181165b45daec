import type { JWK } from 'jose';
import { SM_JOSE } from './crypto/jose/profile.ts';
import { createTokenSealer, type TokenSealer } from './crypto/jose/token-sealer.ts';
import type { Keyring } from './crypto/keyring.ts';
import { createSm2Verifier, createSoftwareSm2Signer } from './crypto/sm2-software-signer.ts';
import type { EngineKeys } from './oidc/signing-keys.ts';

/** The keys of the keyring, each where it signs: those the protocol library knows, and those of SM2. */
export async function engineKeys(keyring: Pick<Keyring, 'jwks'>): Promise<EngineKeys> {
  const { privateKeys } = await keyring.jwks();
  const isSm2 = ({ alg }: JWK): boolean => alg === SM_JOSE.signature;
  return {
    classical: privateKeys.filter((jwk) => !isSm2(jwk)),
    sealers: privateKeys.filter(isSm2).map(softwareSealer),
  };
}

/** The key is in this process; a remote signer would take its place here. */
function softwareSealer({ d = '' }: JWK): TokenSealer {
  const signer = createSoftwareSm2Signer(Buffer.from(d, 'base64url').toString('hex'));
  return createTokenSealer(signer, createSm2Verifier(signer.publicKey));
}
