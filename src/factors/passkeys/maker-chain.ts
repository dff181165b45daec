import { X509Certificate } from 'node:crypto';
import { nowMs } from '../../shared/clock.ts';

/** A device, the makers between, and a root we know: no maker needs more. */
const CERTIFICATES_MAX = 6;

/**
 * Whether the certificates a device shows (`x5c`, its own first, DER) lead to one of the roots: each signed by the next, each inside its
 * time, each but the first allowed to sign others, and the last signed by a root or itself one (WebAuthn Level 3, 7.1 step 24).
 *
 * Judged here and not by the library: that takes every chain where no root is set, refuses one that shows its root, and asks
 * the addresses that stand in certificates for revocation lists, past the gate for everything that leaves the house. A model that is called
 * back is taken out of `passkeys.allowedAaguids`, a maker out of the roots.
 */
export function leadsToRoot(x5c: readonly Uint8Array[], roots: readonly string[]): boolean {
  const chain = certificatesIn(x5c);
  const anchors = roots.map((pem) => new X509Certificate(pem)).filter(isInTime);
  if (chain === undefined || chain.length === 0 || chain.length > CERTIFICATES_MAX) return false;
  for (const [at, certificate] of chain.entries()) {
    if (!isInTime(certificate) || (at > 0 && !certificate.ca)) return false;
    if (anchors.some((root) => isSame(root, certificate) || isIssuedBy(certificate, root))) return true;
    const next = chain[at + 1];
    if (next === undefined || !isIssuedBy(certificate, next)) return false;
  }
  return false;
}

/** Undefined where one of them is none. */
function certificatesIn(x5c: readonly Uint8Array[]): readonly X509Certificate[] | undefined {
  try {
    return x5c.map((der) => new X509Certificate(der));
  } catch {
    return undefined;
  }
}

const isInTime = ({ validFromDate, validToDate }: X509Certificate): boolean =>
  validFromDate.getTime() <= nowMs() && nowMs() <= validToDate.getTime();

const isSame = (root: X509Certificate, { raw }: X509Certificate): boolean => root.raw.equals(raw);

const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
