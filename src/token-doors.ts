import type { JWK } from 'jose';
import type { CertifiedKeys } from './crypto/jose/certified-keys.ts';
import { SM_JOSE } from './crypto/jose/profile.ts';
import { readSm2Jwk } from './crypto/jose/sm2-jwk.ts';
import { createTokenSealer, type TokenSealer } from './crypto/jose/token-sealer.ts';
import type { Keyring } from './crypto/keyring.ts';
import { createRemoteSm2Signer } from './crypto/remote/remote-sm2-signer.ts';
import type { SignatureServer } from './crypto/remote/signature-server.ts';
import type { Signer } from './crypto/signer.ts';
import { remoteKeyId } from './crypto/signing-key.ts';
import { createSm2Verifier, createSoftwareSm2Signer } from './crypto/sm2-software-signer.ts';
import type { EngineKeys } from './oidc/signing-keys.ts';
import { Fault } from './shared/fault.ts';

/**
 * The keys of the keyring, each where it signs: those the protocol library knows, and those of SM2. Throws `Fault('internal')` for a key
 * that a signature server holds when none is configured.
 */
export async function engineKeys(
  keyring: Pick<Keyring, 'jwks'>,
  server?: SignatureServer,
  certified: CertifiedKeys = new Map(),
): Promise<EngineKeys> {
  const { privateKeys } = await keyring.jwks();
  const isSm2 = ({ alg }: JWK): boolean => alg === SM_JOSE.signature;
  return {
    classical: privateKeys.filter((jwk) => !isSm2(jwk)),
    sealers: privateKeys.filter(isSm2).map((jwk) => sealerOf(jwk, server, certified)),
  };
}

function sealerOf(jwk: JWK, server: SignatureServer | undefined, certified: CertifiedKeys): TokenSealer {
  const signer = signerOf(jwk, server);
  return createTokenSealer(signer, createSm2Verifier(signer.publicKey), certified);
}

function signerOf(jwk: JWK, server: SignatureServer | undefined): Signer {
  const keyId = remoteKeyId(jwk);
  if (keyId === undefined) {
    return createSoftwareSm2Signer(Buffer.from(jwk.d ?? '', 'base64url').toString('hex'));
  }
  if (server === undefined) {
    throw new Fault('internal', `The SM2 key ${jwk.kid} is held by a signature server: configure signer.server.url.`);
  }
  return createRemoteSm2Signer(server, { keyId, publicKey: readSm2Jwk({ ...jwk }).bytes });
}
