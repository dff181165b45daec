import { isSignedBy, KEY_USAGE, PURPOSE, type Sm2Certificate } from '../../crypto/x509/certificate.ts';
import type { RevocationList } from '../../crypto/x509/revocation-list.ts';

/** What the house believes: the certificates of authorities, each by configuration, and the lists they have signed. */
export interface Trust {
  readonly authorities: readonly Sm2Certificate[];
  readonly lists: readonly RevocationList[];
}

/** `list`: no list of the authority holds now, so nobody can say whether the certificate is void; it is refused. */
export type Distrust = 'issuer' | 'validity' | 'usage' | 'chain' | 'revoked' | 'list';

const CHAIN_MAX = 4;

const sameBytes = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;
const isValid = ({ validFrom, validTo }: Sm2Certificate, now: number): boolean => validFrom <= now && now <= validTo;
const mayUse = ({ keyUsage }: Sm2Certificate, bit: number): boolean => keyUsage === undefined || keyUsage.has(bit);

/**
 * Whether a certificate of a person holds now: signed by an authority we name, inside its time, made for signing, and on no list of void ones
 * (D18, RFC 5280 6.1). Undefined where it does. Pure; `now` is in epoch seconds.
 */
export function distrust(certificate: Sm2Certificate, trust: Trust, now: number): Distrust | undefined {
  const { purposes } = certificate;
  const forPeople = purposes === undefined || purposes.has(PURPOSE.clientAuthentication) || purposes.has(PURPOSE.any);
  // A key that signs anything else than the words of its owner must say so; one that says nothing is not taken.
  const signs = certificate.keyUsage?.has(KEY_USAGE.digitalSignature) === true;
  if (certificate.isAuthority || !forPeople || !signs) return 'usage';
  return distrustUpwards(certificate, trust, now, 0);
}

function distrustUpwards(certificate: Sm2Certificate, trust: Trust, now: number, depth: number): Distrust | undefined {
  if (!isValid(certificate, now)) return 'validity';
  const authority = issuerOf(certificate, trust);
  if (authority === undefined) return 'issuer';
  const maySign = authority.isAuthority && mayUse(authority, KEY_USAGE.keyCertSign);
  if (!maySign || depth > (authority.pathLength ?? CHAIN_MAX) || depth > CHAIN_MAX) return 'chain';
  if (!isValid(authority, now)) return 'chain';
  const revoked = revocation(certificate, authority, trust, now);
  if (revoked !== undefined) return revoked;
  // A root, or an authority that the configuration itself vouches for because the one above it is not named.
  const isAnchor = sameBytes(authority.subject, authority.issuer) || issuerOf(authority, trust) === undefined;
  return isAnchor ? undefined : distrustUpwards(authority, trust, now, depth + 1);
}

const issuerOf = ({ issuer, signed }: Sm2Certificate, { authorities }: Trust): Sm2Certificate | undefined =>
  authorities.find((candidate) => sameBytes(candidate.subject, issuer) && isSignedBy(signed, candidate.key));

function revocation(
  { serial }: Sm2Certificate,
  authority: Sm2Certificate,
  { lists }: Trust,
  now: number,
): 'revoked' | 'list' | undefined {
  const theirs = lists.filter(
    (list) =>
      sameBytes(list.issuer, authority.subject) &&
      mayUse(authority, KEY_USAGE.crlSign) &&
      list.thisUpdate <= now &&
      now <= list.nextUpdate &&
      isSignedBy(list.signed, authority.key),
  );
  if (theirs.length === 0) return 'list';
  return theirs.some(({ serials }) => serials.has(serial)) ? 'revoked' : undefined;
}
