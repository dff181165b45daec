import { SM2_USER_ID } from '../signer.ts';

/**
 * The names and encodings of SM algorithms in JOSE: one profile, and no other place writes them. They follow GM/T 0125.1 to .4 as
 * implementations of it have them; IANA has registered none. A partner's vector decides before a contract does.
 */
export const SM_JOSE = {
  /** JWS `alg` (GM/T 0125.2): SM2 over SM3 with Z, raw r || s of 64 bytes. */
  signature: 'SGD_SM3_SM2',
  /** JWK `crv` with `kty: EC` (GM/T 0125.4), in every key we show or keep. */
  curve: 'sm2p256v1',
  /** Other names of the curve that a portal's key may come with. It is kept under ours, which also enters its thumbprint. */
  curveAliases: ['SM2', 'SM2-P-256'],
  /** JWE `alg` (GM/T 0125.3): SM2 encryption, the ciphertext in DER (GM/T 0009). */
  keyEncryption: 'SGD_SM2_3',
  /** JWE `enc`: SM4-GCM with a key of 16 bytes, an iv of 12 and a tag of 16 (RFC 8998). */
  contentEncryption: 'SGD_SM4_GCM',
  /** What older portals call their signatures. Accepted from a portal registered for it, never sent. */
  signatureAliases: ['SM2', 'SM2SM3', 'SM3WithSM2'],
  userId: SM2_USER_ID,
} as const;

/** How a portal writes an SM2 signature: `raw` is r || s, `der` the SEQUENCE of GM/T 0009. */
export const SIGNATURE_ENCODINGS = ['raw', 'der'] as const;
export type SignatureEncoding = (typeof SIGNATURE_ENCODINGS)[number];

/** What a portal's SM2 signatures look like. */
export interface SignatureForm {
  readonly alg: typeof SM_JOSE.signature | (typeof SM_JOSE.signatureAliases)[number];
  readonly encoding: SignatureEncoding;
}

/** The form of the profile: what a portal signs with unless another was agreed. */
export const SIGNATURE_FORM: SignatureForm = { alg: SM_JOSE.signature, encoding: 'raw' };

/** Whether `crv` names the SM2 curve, by our name or another. */
export const isSm2Curve = (crv: unknown): boolean =>
  crv === SM_JOSE.curve || SM_JOSE.curveAliases.some((alias) => alias === crv);
