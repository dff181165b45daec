import { sm2SignatureFromDer } from '../../crypto/sm2/der.ts';
import { isSignedBy, readSm2Certificate } from '../../crypto/x509/certificate.ts';
import { pemBlocks } from '../../crypto/x509/pem.ts';
import { nowSeconds } from '../../shared/clock.ts';
import type { Transaction } from '../../storage/database.ts';
import type { ChallengeBinding, SignedChallenges } from '../signed-challenges.ts';
import { distrust, type Trust } from './authorities.ts';

/** What a person has their key sign: `text`, which names the challenge that travels back beside it. */
export interface CertificateRequest {
  readonly challenge: string;
  readonly text: string;
}

/** `reason` is for the ledger; a stranger learns none of it. */
export type CertificateVerdict =
  | {
      readonly state: 'good';
      /** SM3 of what the authority has signed. */
      readonly fingerprint: string;
      readonly validTo: number;
      /** Spends the challenge; false when it was spent before. */
      readonly spend: (tx: Transaction) => Promise<boolean>;
    }
  | { readonly state: 'refused' | 'expired'; readonly reason: string };

/**
 * Proofs by the key of an SM2 certificate, such as a UKey holds. What is signed names us and one challenge, so that it is worth nothing
 * anywhere else and nothing twice (D18).
 */
export interface Certificates {
  /** Whether any authority is configured. */
  readonly offered: boolean;
  request(bound: ChallengeBinding): CertificateRequest;
  /** `answer`: the certificate and the signature (DER, GB/T 35276), each a PEM block. */
  judge(bound: ChallengeBinding, challenge: string, answer: string): CertificateVerdict;
}

const ANSWER_CHARACTERS_MAX = 8192;
export const SIGNATURE_LABEL = 'TONGBAN SIGNATURE';

export function createCertificates({
  challenges,
  trust,
  origin,
}: {
  readonly challenges: SignedChallenges;
  /** As it is at this moment: lists of void certificates change. */
  readonly trust: () => Trust;
  readonly origin: string;
}): Certificates {
  const textOf = (challenge: string): string => `tongban-id certificate\n${origin}\n${challenge}`;
  return {
    offered: trust().authorities.length > 0,
    request(bound) {
      const challenge = challenges.issue(bound);
      return { challenge, text: textOf(challenge) };
    },
    judge(bound, challenge, answer) {
      const standing = challenges.judge(challenge, bound);
      if (standing === 'foreign') return { state: 'refused', reason: 'challenge' };
      if (standing === 'expired') return { state: 'expired', reason: 'expired' };
      if (answer.length > ANSWER_CHARACTERS_MAX) return { state: 'refused', reason: 'form' };
      const [der, ...more] = pemBlocks(answer, 'CERTIFICATE');
      const [signed, ...others] = pemBlocks(answer, SIGNATURE_LABEL);
      const certificate = der && readSm2Certificate(der);
      const signature = signed && sm2SignatureFromDer(signed);
      if (!certificate || !signature || more.length > 0 || others.length > 0)
        return { state: 'refused', reason: 'form' };
      const doubt = distrust(certificate, trust(), nowSeconds());
      if (doubt !== undefined) return { state: 'refused', reason: doubt };
      const bytes = Buffer.from(textOf(challenge), 'utf8');
      if (!isSignedBy({ bytes, signature }, certificate.key)) return { state: 'refused', reason: 'signature' };
      return {
        state: 'good',
        fingerprint: certificate.fingerprint,
        validTo: certificate.validTo,
        spend: (tx) => challenges.spend(tx, challenge),
      };
    },
  };
}
