import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { ExternalSigningKey, type JWK } from 'oidc-provider';

/**
 * An ES256 key that signs where it is asked. The library signs through WebCrypto, which hands each token to a thread of the
 * pool: waking it costs more than the signature, and the pool is where passwords are hashed, so that a wave of sign-ins would
 * hold up everybody's tokens.
 */
class KeyAtHand extends ExternalSigningKey {
  readonly #private: KeyObject;
  readonly #public: KeyObject;
  readonly #kid: string | undefined;

  constructor(jwk: JWK) {
    super();
    this.#private = createPrivateKey({ key: { ...jwk }, format: 'jwk' });
    this.#public = createPublicKey(this.#private);
    this.#kid = jwk.kid;
  }

  override get kid(): string | undefined {
    return this.#kid;
  }

  override get alg(): string {
    return 'ES256';
  }

  override keyObject(): KeyObject {
    return this.#public;
  }

  /** r and s, 32 bytes each, as RFC 7518 3.4 has them; ECDSA's usual DER would be refused everywhere. */
  override sign(data: Uint8Array): Buffer {
    return sign('sha256', data, { key: this.#private, dsaEncoding: 'ieee-p1363' });
  }
}

/**
 * The keys as the library takes them. A signature with ES256 takes 60 microseconds and is made on the spot; one with RS256 takes
 * the better part of a millisecond and stays with the pool.
 */
export const keysAtHand = (signingKeys: readonly JWK[]): (JWK | ExternalSigningKey)[] =>
  signingKeys.map((jwk) => (jwk.kty === 'EC' && jwk.crv === 'P-256' ? new KeyAtHand(jwk) : jwk));
