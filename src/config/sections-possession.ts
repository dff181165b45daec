import { z } from 'zod';
import { choice, list, whole } from './fields.ts';

const file = z.string().trim().min(1).max(1024);

export const passkeys = z.strictObject({
  challengeSeconds: whole(60, 3600, 'How long a page that asks for a passkey or a certificate may stand open.'),
  attestation: choice(
    ['none', 'direct'],
    'Whether a new passkey needs a signed statement of the maker of the device; direct wants attestationRootFiles.',
  ),
  attestationRootFiles: list(file, 50, 'Certificates of makers, PEM, under which such a statement must stand.'),
  allowedAaguids: list(
    z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be an AAGUID in lower case'),
    500,
    'The models that may hold a passkey, where a statement is needed; empty means every one.',
  ),
});

export const certificates = z.strictObject({
  authorityFiles: list(
    file,
    50,
    'Certificates of the authorities whose SM2 certificates people may use, PEM, those in between as well; empty means none.',
  ),
  revocationFiles: list(
    file,
    50,
    'Revocation lists of these authorities, PEM, read anew twice a minute; without a list that holds a certificate is refused.',
  ),
  keys: choice(
    ['hardware', 'software'],
    'Whether these authorities give certificates to keys in hardware alone; portals are told hwk or swk.',
  ),
});

export const scan = z.strictObject({
  startsPerAddress: whole(1, 1_000_000, 'Codes to scan shown to one address within ten minutes at most.'),
  proofAgeSeconds: whole(60, 43_200, 'How old the proof on the phone may be by which a sign-in is approved.'),
});

export const trustedDevice = z.strictObject({
  days: whole(1, 30, 'How long a browser stays trusted after its person asked for it.'),
});
