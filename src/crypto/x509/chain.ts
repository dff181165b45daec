import { isSignedBy, KEY_USAGE, type Sm2Certificate } from './certificate.ts';

/** `issuer`: no authority we name has signed it. `chain`: one above it may not sign certificates, or not so far down, or not now. */
export type ChainFault = 'issuer' | 'validity' | 'chain';

const CHAIN_MAX = 4;

const isValid = ({ validFrom, validTo }: Sm2Certificate, now: number): boolean => validFrom <= now && now <= validTo;

export const sameName = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

/** True too where the certificate says nothing of the use of its key. */
export const mayUse = ({ keyUsage }: Sm2Certificate, bit: number): boolean =>
  keyUsage === undefined || keyUsage.has(bit);

/**
 * Why a certificate does not hold now, from itself up to an authority that stands for itself (RFC 5280 6.1), or undefined where it does.
 * `judge` may find something else at each step, such as a list of void ones. Pure; `now` is in epoch seconds.
 */
export function chainFault<Other extends string = never>(
  certificate: Sm2Certificate,
  authorities: readonly Sm2Certificate[],
  now: number,
  judge: (certificate: Sm2Certificate, authority: Sm2Certificate) => Other | undefined = () => undefined,
  depth = 0,
): ChainFault | Other | undefined {
  if (!isValid(certificate, now)) return 'validity';
  const authority = issuerOf(certificate, authorities);
  if (authority === undefined) return 'issuer';
  const maySign = authority.isAuthority && mayUse(authority, KEY_USAGE.keyCertSign);
  if (!maySign || depth > (authority.pathLength ?? CHAIN_MAX) || depth > CHAIN_MAX) return 'chain';
  if (!isValid(authority, now)) return 'chain';
  const other = judge(certificate, authority);
  if (other !== undefined) return other;
  // A root, or an authority that the configuration itself vouches for because the one above it is not named.
  const isAnchor = sameName(authority.subject, authority.issuer) || issuerOf(authority, authorities) === undefined;
  return isAnchor ? undefined : chainFault(authority, authorities, now, judge, depth + 1);
}

const issuerOf = (
  { issuer, signed }: Sm2Certificate,
  authorities: readonly Sm2Certificate[],
): Sm2Certificate | undefined =>
  authorities.find((candidate) => sameName(candidate.subject, issuer) && isSignedBy(signed, candidate.key));
