import { randomSecret } from '../../shared/random.ts';
import { sm2CiphertextToDer } from '../sm2/der.ts';
import { encryptSm2, type Sm2PublicKey } from '../sm2/sm2.ts';
import { createSm4 } from '../sm4.ts';
import { SM_JOSE } from './profile.ts';

/** Whom a token is encrypted to. */
export interface Recipient {
  readonly key: Sm2PublicKey;
  readonly kid: string | undefined;
}

const KEY_BYTES = 16;
const IV_BYTES = 12;

/**
 * A signed token inside a JWE in compact form (RFC 7516 7.1, GM/T 0125.3): a fresh SM4 key encrypts the token with its protected
 * header bound to it, and is itself encrypted to the recipient, as DER. `claims` go into the header too (RFC 7519 5.3).
 */
export function encryptToken(jws: string, { key, kid }: Recipient, claims: Readonly<Record<string, string>>): string {
  const header = {
    alg: SM_JOSE.keyEncryption,
    enc: SM_JOSE.contentEncryption,
    cty: 'JWT',
    ...(kid === undefined ? {} : { kid }),
    ...claims,
  };
  const protectedHeader = Buffer.from(JSON.stringify(header)).toString('base64url');
  const contentKey = randomSecret(KEY_BYTES);
  const iv = randomSecret(IV_BYTES);
  const { ciphertext, tag } = createSm4('gcm', contentKey).seal(iv, Buffer.from(jws), Buffer.from(protectedHeader));
  const encryptedKey = sm2CiphertextToDer(encryptSm2(contentKey, key));
  contentKey.fill(0);
  const parts = [encryptedKey, iv, ciphertext, tag].map((part) => Buffer.from(part).toString('base64url'));
  return [protectedHeader, ...parts].join('.');
}
