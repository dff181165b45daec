import { framed, hmacKey, hmacSm3 } from '../crypto/digests.ts';

/** One sign-in asks three times for the same sub: it is kept for a while, some 3 MB at most. */
const KNOWN_MAX = 20_000;

/**
 * Subject identifiers that differ from sector to sector, so that portals cannot join what they know (OpenID Connect Core 8.1).
 * HMAC-SM3 over sector and account: pure, stable, and never the ID number itself (B7).
 */
export function createPairwiseSub(salt: Uint8Array): (personId: string, sector: string) => string {
  const key = hmacKey(salt);
  const known = new Map<string, string>();
  return (personId, sector) => {
    const name = `${sector}\0${personId}`;
    const held = known.get(name);
    if (held !== undefined) return held;
    if (known.size >= KNOWN_MAX) known.clear();
    const sub = hmacSm3(key, framed(sector, personId)).toString('base64url');
    known.set(name, sub);
    return sub;
  };
}
