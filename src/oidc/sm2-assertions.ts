import { generateKeyPairSync } from 'node:crypto';
import { type Client, errors, type JWK, type KoaContextWithOIDC } from 'oidc-provider';
import { type CompactJws, readCompactJws } from '../crypto/jose/jws.ts';
import type { SignatureForm } from '../crypto/jose/profile.ts';
import { SM2_SIGNATURE_BYTES } from '../crypto/signer.ts';
import { sm2SignatureFromDer } from '../crypto/sm2/der.ts';
import { verifySm2 } from '../crypto/sm2/sm2.ts';
import { signEs256 } from './signing-keys.ts';
import { assertionForm, signingKeysOf } from './sm2-client.ts';

/**
 * Vouches for client assertions signed with SM2 (RFC 7523): verifies them with the client's registered key and then signs the same
 * payload, byte for byte, with a key of its own that the library knows for this client. Audience, expiry and replay remain the
 * library's checks.
 */
export interface Notary {
  /** The public key, for the clients it vouches for. */
  readonly publicJwk: JWK;
  /**
   * Replaces the assertion in the parameters of this request, once, if this client has sent one and is registered for SM2.
   * Throws `InvalidClientAuth` unless it is signed with SM2 by a registered key, also when another of its keys would do.
   */
  vouch(oidc: KoaContextWithOIDC['oidc'], client: Client): void;
}

const ALG = 'ES256';

/** A notary of its own for each engine; its key never leaves the process. */
export function createNotary(): Notary {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid: 'notary', use: 'sig', alg: ALG } as JWK;
  const vouchedFor = new WeakSet<object>();
  return {
    publicJwk,
    vouch(oidc, client) {
      const form = assertionForm(client);
      const assertion = oidc.params?.client_assertion;
      if (form === undefined || typeof assertion !== 'string' || vouchedFor.has(oidc)) return;
      const jws = readCompactJws(assertion);
      // Whose assertion this is the library reads from `sub`; clients that are only looked up meanwhile have sent none.
      if (jws !== undefined && jws.payload.sub !== client.clientId) return;
      if (jws === undefined || !isSigned(jws, form, client)) {
        throw new errors.InvalidClientAuth(`the assertion must be signed with ${form.alg} by a registered key`);
      }
      const header = encoded({ alg: ALG, kid: publicJwk.kid, typ: jws.header.typ });
      const input = Buffer.from(`${header}.${assertion.split('.')[1]}`, 'latin1');
      oidc.params!.client_assertion = `${input}.${signEs256(input, privateKey).toString('base64url')}`;
      vouchedFor.add(oidc);
    },
  };
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The registered form decides, never the token: another name or encoding is refused (S3, R8). */
function isSigned({ header, input, signature }: CompactJws, { alg, encoding }: SignatureForm, client: Client): boolean {
  if (header.alg !== alg) return false;
  const raw = encoding === 'der' ? sm2SignatureFromDer(signature) : signature;
  if (raw?.length !== SM2_SIGNATURE_BYTES) return false;
  return signingKeysOf(client, header.kid).some((key) => verifySm2(input, raw, key));
}
