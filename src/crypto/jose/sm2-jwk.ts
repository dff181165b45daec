import { hash } from 'node:crypto';
import type { JWK } from 'jose';
import { Fault } from '../../shared/fault.ts';
import { readSm2PublicKey, type Sm2PublicKey } from '../sm2/sm2.ts';
import { isSm2Curve, SM_JOSE } from './profile.ts';

const NUMBER_BYTES = 32;
/** 32 bytes in base64url; the last character carries two bits of nothing, which are zero (RFC 4648 3.5). */
const COORDINATE = /^[\w-]{42}[AEIMQUYcgkosw048]$/;

/** The public JWK of a key of 65 bytes, with its RFC 7638 thumbprint (SHA-256) as `kid`. */
export function sm2PublicJwk(publicKey: Uint8Array, use: 'sig' | 'enc'): JWK & { readonly kid: string } {
  const [x, y] = [1, 1 + NUMBER_BYTES].map((at) => encoded(publicKey.subarray(at, at + NUMBER_BYTES)));
  const bare = { crv: SM_JOSE.curve, kty: 'EC', x: x!, y: y! };
  const kid = hash('sha256', JSON.stringify(bare), 'base64url');
  return { ...bare, kid, use, alg: use === 'sig' ? SM_JOSE.signature : SM_JOSE.keyEncryption };
}

/**
 * The key of a public JWK on the SM2 curve, under any of its names. Throws `Fault('internal')` for one of another kind, with
 * coordinates that are not exactly 32 bytes, or off the curve (V59).
 */
export function readSm2Jwk(jwk: Readonly<Record<string, unknown>>): Sm2PublicKey {
  const { kty, crv, x, y } = jwk;
  if (kty !== 'EC' || !isSm2Curve(crv) || !isCoordinate(x) || !isCoordinate(y)) {
    throw new Fault('internal', 'The JWK is no SM2 public key.');
  }
  return readSm2PublicKey(Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]));
}

const isCoordinate = (value: unknown): value is string => typeof value === 'string' && COORDINATE.test(value);

const encoded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
