import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { z } from 'zod';
import { isSm2Curve, SM_JOSE } from '../crypto/jose/profile.ts';
import { readSm2Jwk } from '../crypto/jose/sm2-jwk.ts';
import { Fault } from '../shared/fault.ts';

const RSA_BITS_MIN = 2048;
const KEYS_MAX = 16;
/** Members that hold private or symmetric key material (RFC 7518 6.2.2, 6.3.2, 6.4.1; `priv` is how newer key types call it). */
const SECRET_MEMBERS: readonly string[] = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];
const CURVES: ReadonlySet<string> = new Set(['P-256', 'P-384', 'P-521', 'Ed25519', 'X25519']);
const MEMBERS: ReadonlySet<string> = new Set([
  'kty',
  'kid',
  'use',
  'alg',
  'key_ops',
  'crv',
  'x',
  'y',
  'n',
  'e',
  'x5c',
  'x5t',
  'x5t#S256',
  'x5u',
]);

const memberSchema = z.union([z.string().max(8192), z.array(z.string().max(8192)).max(8)]);
const keySchema = z
  .record(z.string().max(64), memberSchema)
  .superRefine((key, context) => {
    const reason = keyFault(key);
    if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
  })
  // The curve enters the thumbprint of a key, so it is kept under one name.
  .transform((key) => (isSm2Key(key) ? { ...key, crv: SM_JOSE.curve } : key));

/**
 * The public keys of a relying party (RFC 7517), by value. A key with a private member is refused rather than stripped:
 * whoever sent it has shown it around and must make a new one.
 */
export const keySetSchema = z.strictObject({
  keys: z.array(keySchema).min(1).max(KEYS_MAX).refine(kidsDiffer, { message: 'must give every key a different kid' }),
});

export type KeySet = z.output<typeof keySetSchema>;

/** The reason a JWK is refused, or undefined. Ordinary faults only; the key material itself is never repeated. */
function keyFault(key: Readonly<Record<string, unknown>>): string | undefined {
  const secret = SECRET_MEMBERS.find((name) => Object.hasOwn(key, name));
  if (secret !== undefined) return `must be a public key: the private member ${secret} was sent, so make a new key`;
  const unknown = Object.keys(key).find((name) => !MEMBERS.has(name));
  if (unknown !== undefined) return `must not have the member ${JSON.stringify(unknown)}`;
  if (key.kty !== 'EC' && key.kty !== 'RSA' && key.kty !== 'OKP') return 'must have the kty EC, RSA or OKP';
  if (isSm2Key(key)) return sm2KeyFault(key);
  if (key.kty !== 'RSA' && !CURVES.has(String(key.crv)))
    return `must be on the curve P-256, P-384, P-521, Ed25519, X25519 or ${SM_JOSE.curve}`;
  try {
    const bits = createPublicKey({ key: key as JsonWebKey, format: 'jwk' }).asymmetricKeyDetails?.modulusLength;
    return bits !== undefined && bits < RSA_BITS_MIN ? `must have at least ${RSA_BITS_MIN} bits` : undefined;
  } catch {
    return 'must be a valid public key';
  }
}

const isSm2Key = ({ kty, crv }: Readonly<Record<string, unknown>>): boolean => kty === 'EC' && isSm2Curve(crv);

/** Node knows no JWK on this curve, so it is read by our own code. One key signs or is encrypted to, never both. */
function sm2KeyFault(key: Readonly<Record<string, unknown>>): string | undefined {
  const { use = 'sig', alg } = key;
  if (use !== 'sig' && use !== 'enc') return 'must have the use sig or enc';
  const names: readonly unknown[] =
    use === 'enc' ? [SM_JOSE.keyEncryption] : [SM_JOSE.signature, ...SM_JOSE.signatureAliases];
  if (alg !== undefined && !names.includes(alg)) return `must have the alg ${names[0]} where its use is ${use}`;
  try {
    readSm2Jwk(key);
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return 'must be a valid public key: 32 bytes each in x and y, of a point on the curve';
    throw error;
  }
}

function kidsDiffer(keys: readonly Readonly<Record<string, unknown>>[]): boolean {
  const kids = keys.flatMap((key) => (key.kid === undefined ? [] : [key.kid]));
  return new Set(kids).size === kids.length;
}
