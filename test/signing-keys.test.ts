import { createPublicKey, verify } from 'node:crypto';
import test from 'ava';
import type { ExternalSigningKey } from 'oidc-provider';
import { freshSigningKey } from '../src/crypto/signing-key.ts';
import { keysAtHand } from '../src/oidc/signing-keys.ts';

test('every signature at hand is 64 bytes that verify, however short its numbers are', async (t) => {
  const { privateJwk, publicJwk } = await freshSigningKey('ES256');
  const [key] = keysAtHand([privateJwk]) as [ExternalSigningKey];
  const publicKey = createPublicKey({ key: { ...publicJwk }, format: 'jwk' });
  let shortened = 0;
  // One number in 256 has a leading zero, so a thousand signatures hold some eight of them.
  for (let n = 0; n < 1000; n += 1) {
    const text = Buffer.from(`token ${n}`);
    const signature = await key.sign(text);
    t.is(signature.length, 64);
    if (signature[0] === 0 || signature[32] === 0) shortened += 1;
    t.true(verify('sha256', text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature));
  }
  t.true(shortened > 0);
});

test('keys of other kinds are left to the library', async (t) => {
  const { privateJwk } = await freshSigningKey('RS256');
  t.deepEqual(keysAtHand([privateJwk]), [privateJwk]);
});
