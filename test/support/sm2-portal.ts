import { createECDH, randomUUID } from 'node:crypto';
import { sm2 } from 'sm-crypto';
import { createSm4 } from '../../src/crypto/sm4.ts';
import { derCiphertext, derSignature, rawCiphertext } from './sm2-forms.ts';

/**
 * A portal that knows nothing of our SM2: it signs, verifies and decrypts with sm-crypto, whose arithmetic is not ours, and writes
 * JOSE by hand.
 */
const OPTIONS = { hash: true, der: false, userId: '1234567812345678' } as const;

export interface PortalKey {
  readonly privateHex: string;
  readonly publicHex: string;
  readonly jwk: Readonly<Record<string, string>>;
}

export function portalKey(kid: string, use: 'sig' | 'enc' = 'sig'): PortalKey {
  const pair = createECDH('SM2');
  const publicKey = pair.generateKeys();
  const [x, y] = [publicKey.subarray(1, 33), publicKey.subarray(33)].map((bytes) => bytes.toString('base64url'));
  return {
    privateHex: pair.getPrivateKey('hex').padStart(64, '0'),
    publicHex: publicKey.toString('hex'),
    jwk: { kty: 'EC', crv: 'sm2p256v1', kid, use, x: x!, y: y! },
  };
}

export const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
export const decoded = (part: string | undefined): Record<string, unknown> =>
  JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8')) as Record<string, unknown>;

export interface Signing {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly encoding?: 'raw' | 'der';
}

/** A compact JWS by this key. */
export function signedBy(key: PortalKey, payload: unknown, { header = {}, encoding = 'raw' }: Signing = {}): string {
  const input = `${encoded({ alg: 'SGD_SM3_SM2', kid: key.jwk.kid, ...header })}.${encoded(payload)}`;
  const options = { ...OPTIONS, publicKey: key.publicHex };
  const raw = Buffer.from(sm2.doSignature(Buffer.from(input), key.privateHex, options), 'hex');
  return `${input}.${(encoding === 'der' ? derSignature(raw) : raw).toString('base64url')}`;
}

export type KeySet = readonly Readonly<Record<string, string>>[];

/** Header and claims of a token, if the key its `kid` names in the server's set has signed it. Throws otherwise. */
export function verified(
  token: unknown,
  keys: KeySet,
): { header: Record<string, unknown>; claims: Record<string, unknown> } {
  const [first, second, third = ''] = String(token).split('.');
  const header = decoded(first);
  const key = keys.find(({ kid }) => kid === header.kid);
  if (key?.crv !== 'sm2p256v1' || key.alg !== header.alg)
    throw new Error(`not one of the SM2 keys: ${JSON.stringify(header)}`);
  const publicHex = `04${Buffer.from(key.x!, 'base64url').toString('hex')}${Buffer.from(key.y!, 'base64url').toString('hex')}`;
  const signature = Buffer.from(third, 'base64url');
  if (signature.length !== 64) throw new Error(`a signature of ${signature.length} bytes`);
  const input = Buffer.from(`${first}.${second}`);
  if (!sm2.doVerifySignature(input, signature.toString('hex'), publicHex, OPTIONS)) throw new Error('a bad signature');
  return { header, claims: decoded(second) };
}

/** The token inside a JWE to this key, and the header of the JWE. */
export function decrypted(jwe: unknown, key: PortalKey): { header: Record<string, unknown>; token: string } {
  const [first = '', encryptedKey = '', iv = '', ciphertext = '', tag = '', ...others] = String(jwe).split('.');
  if (others.length > 0) throw new Error('more than five parts');
  const bytes = (part: string): Buffer => Buffer.from(part, 'base64url');
  const der = bytes(encryptedKey);
  const raw = rawCiphertext(der);
  if (!derCiphertext(raw).equals(der)) throw new Error('the encrypted key is not in DER');
  const contentKey = Buffer.from(
    sm2.doDecrypt(raw.subarray(1).toString('hex'), key.privateHex, 1, { output: 'array' }),
  );
  const sealed = { ciphertext: bytes(ciphertext), tag: bytes(tag) };
  const token = createSm4('gcm', contentKey).open(bytes(iv), sealed, Buffer.from(first));
  if (token === undefined) throw new Error('the token does not open');
  return { header: decoded(first), token: token.toString('utf8') };
}

/** The claims of an assertion this portal proves itself with. */
export const assertionClaims = (clientId: string, issuer: string): Record<string, unknown> => ({
  iss: clientId,
  sub: clientId,
  aud: issuer,
  jti: randomUUID(),
  exp: Math.floor(Date.now() / 1000) + 60,
});
