import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { ExternalSigningKey } from 'oidc-provider';

/**
 * The library's list of algorithms is closed and holds no SM2 (R10). Where a portal is registered for SM2 the library is told this
 * one, which no portal can be registered for, and builds the token with a stand-in for a key; then we put our header and
 * signature in place of its own (sm2-tokens.ts).
 */
export const STAND_IN_ALG = 'ES384';

/**
 * Signs nothing: the private half is dropped where it is made. A token that left the house without our signature would have
 * none at all, and nobody would take it.
 */
export class StandInKey extends ExternalSigningKey {
  readonly #public: KeyObject = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;

  override get kid(): string {
    return 'stand-in';
  }

  override get alg(): string {
    return STAND_IN_ALG;
  }

  override keyObject(): KeyObject {
    return this.#public;
  }

  override sign(): Buffer {
    return Buffer.alloc(0);
  }
}
