import { SM_JOSE } from '../crypto/jose/profile.ts';
import type { TokenSealer } from '../crypto/jose/token-sealer.ts';
import { PLAIN_MODES, SIGNED_MODES } from '../relying-parties/schema.ts';
import { STAND_IN_ALG } from './sm2-stand-in.ts';

/** Algorithms of what we issue, and of what portals sign, by name. */
export interface Algorithms {
  readonly issued: readonly string[];
  /** Client assertions and request objects. */
  readonly received: readonly string[];
}

/** What may be signed: everything, or SM2 alone where the house is set to it. */
export const algorithmsOf = (smOnly: boolean): Algorithms =>
  smOnly
    ? { issued: [SM_JOSE.signature], received: [SM_JOSE.signature] }
    : {
        issued: ['ES256', 'RS256', SM_JOSE.signature],
        received: ['ES256', 'PS256', 'RS256', SM_JOSE.signature],
      };

type Document = Readonly<Record<string, unknown>>;

/** Discovery with what the library does not know of (OpenID Connect Discovery 3): a new object. */
export const publishedMetadata = (document: Document, { issued, received }: Algorithms): Document => ({
  ...document,
  id_token_signing_alg_values_supported: issued,
  userinfo_signing_alg_values_supported: issued,
  introspection_signing_alg_values_supported: issued,
  authorization_signing_alg_values_supported: issued,
  token_endpoint_auth_signing_alg_values_supported: received,
  request_object_signing_alg_values_supported: received,
  response_modes_supported: [...PLAIN_MODES, ...SIGNED_MODES],
  id_token_encryption_alg_values_supported: [SM_JOSE.keyEncryption],
  id_token_encryption_enc_values_supported: [SM_JOSE.contentEncryption],
  userinfo_encryption_alg_values_supported: [SM_JOSE.keyEncryption],
  userinfo_encryption_enc_values_supported: [SM_JOSE.contentEncryption],
  authorization_encryption_alg_values_supported: [SM_JOSE.keyEncryption],
  authorization_encryption_enc_values_supported: [SM_JOSE.contentEncryption],
});

/** The key set: the library's keys without the stand-in, and ours. A new object, for the library's list is live. */
export function publishedKeys(document: Document, sealers: readonly TokenSealer[]): Document {
  const theirs = (document.keys as readonly { readonly alg?: string }[]).filter(({ alg }) => alg !== STAND_IN_ALG);
  return { ...document, keys: [...theirs, ...sealers.map(({ publicJwk }) => publicJwk)] };
}
