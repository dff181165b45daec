import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { ExternalSigningKey, type JWK } from 'oidc-provider';
import type { TokenSealer } from '../crypto/jose/token-sealer.ts';

/** The keys of one engine. */
export interface EngineKeys {
  /** Private keys of algorithms the library knows, in the order in which they are taken. */
  readonly classical: readonly JWK[];
  /** SM2 keys, the signing one first. */
  readonly sealers: readonly TokenSealer[];
}

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

  override sign(data: Uint8Array): Buffer {
    return signEs256(data, this.#private);
  }
}

/** ES256 (RFC 7518 3.4), 64 bytes, on the spot. */
export const signEs256 = (data: Uint8Array, key: KeyObject): Buffer => sideBySide(sign('sha256', data, key));

const NUMBER_BYTES = 32;

/**
 * r and s side by side, 32 bytes each, as RFC 7518 3.4 has them, out of the DER of RFC 3279 2.2.3: a sequence of two integers, whose
 * lengths are one byte for this curve. `node:crypto` would do it too (`ieee-p1363`), and takes longer for it than for the signature:
 * 70 microseconds for 29.
 */
function sideBySide(der: Buffer): Buffer {
  const signature = Buffer.alloc(2 * NUMBER_BYTES);
  let at = 2;
  for (const end of [NUMBER_BYTES, 2 * NUMBER_BYTES]) {
    const length = der[at + 1]!;
    // An integer whose first bit is set has a zero before it; one with leading zeros has lost them.
    const digits = der.subarray(at + 2 + Math.max(0, length - NUMBER_BYTES), at + 2 + length);
    signature.set(digits, end - digits.length);
    at += 2 + length;
  }
  return signature;
}

/** A key of ES256. */
export const isKeyAtHand = ({ kty, crv }: JWK): boolean => kty === 'EC' && crv === 'P-256';

/**
 * The keys as the library takes them. A signature with ES256 takes 30 microseconds and is made on the spot; one with RS256 takes
 * the better part of a millisecond and stays with the pool.
 */
export const keysAtHand = (signingKeys: readonly JWK[]): (JWK | ExternalSigningKey)[] =>
  signingKeys.map((jwk) => (isKeyAtHand(jwk) ? new KeyAtHand(jwk) : jwk));
