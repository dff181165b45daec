import { framed, hmacKey, hmacSm3 } from '../crypto/digests.ts';

/**
 * Subject identifiers that differ from sector to sector, so that portals cannot join what they know (OpenID Connect Core 8.1).
 * HMAC-SM3 over sector and account: pure, stable, and never the ID number itself (B7).
 */
export function createPairwiseSub(salt: Uint8Array): (personId: string, sector: string) => string {
  const key = hmacKey(salt);
  return (personId, sector) => hmacSm3(key, framed(sector, personId)).toString('base64url');
}
