import { framed, hmacKey, hmacSm3 } from './digests.ts';

/** What identifies a document: its type, the country that issued it, and its number in normal form. */
export interface DocumentIdentity {
  readonly type: string;
  readonly issuer: string;
  readonly number: string;
}

/**
 * The column a person is found by without storing the number: the same document always gives the same 43 characters.
 * Keyed, because an unkeyed digest of an ID number is undone by trying all 10^10 of them.
 */
export interface BlindIndex {
  of(document: DocumentIdentity): string;
}

/** HMAC-SM3 over the framed type, issuer and number, base64url. The key is not the one that seals. */
export function createBlindIndex(key: Uint8Array): BlindIndex {
  const indexKey = hmacKey(key);
  return {
    of: ({ type, issuer, number }) => hmacSm3(indexKey, framed(type, issuer, number)).toString('base64url'),
  };
}
