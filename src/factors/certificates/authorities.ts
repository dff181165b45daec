import { isSignedBy, KEY_USAGE, PURPOSE, type Sm2Certificate } from '../../crypto/x509/certificate.ts';
import { type ChainFault, chainFault, mayUse, sameName } from '../../crypto/x509/chain.ts';
import type { RevocationList } from '../../crypto/x509/revocation-list.ts';

/** What the house believes: the certificates of authorities, each by configuration, and the lists they have signed. */
export interface Trust {
  readonly authorities: readonly Sm2Certificate[];
  readonly lists: readonly RevocationList[];
}

/** `list`: no list of the authority holds now, so nobody can say whether the certificate is void; it is refused. */
export type Distrust = ChainFault | 'usage' | 'revoked' | 'list';

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
  return chainFault(certificate, trust.authorities, now, (one, authority) => revocation(one, authority, trust, now));
}

function revocation(
  { serial }: Sm2Certificate,
  authority: Sm2Certificate,
  { lists }: Trust,
  now: number,
): 'revoked' | 'list' | undefined {
  const theirs = lists.filter(
    (list) =>
      sameName(list.issuer, authority.subject) &&
      mayUse(authority, KEY_USAGE.crlSign) &&
      list.thisUpdate <= now &&
      now <= list.nextUpdate &&
      isSignedBy(list.signed, authority.key),
  );
  if (theirs.length === 0) return 'list';
  return theirs.some(({ serials }) => serials.has(serial)) ? 'revoked' : undefined;
}
