import type { Context } from 'koa';
import type { Attempts } from '../factors/attempts.ts';
import type { BoundFactors } from '../factors/bound-factors.ts';
import type { Certificates } from '../factors/certificates/certificates.ts';
import type { ChallengeBinding } from '../factors/signed-challenges.ts';
import type { Persons } from '../people/persons.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Admission, AdmissionOutcome } from './admission.ts';

/** `expired`: the page had stood open for too long. Everything else that is wrong is one answer (D9). */
export type CertificateOutcome = AdmissionOutcome | { readonly state: 'expired' | 'too_many' };

export interface CertificateAttempt {
  readonly bound: ChallengeBinding;
  readonly challenge: string;
  readonly answer: string;
  readonly clientId: string;
  /** Who must answer, and in which session, when somebody who is signed in proves it again. */
  readonly again?: { readonly personId: string; readonly sessionUid: string };
}

export interface IdentifyCertificate {
  /** Whose certificate it is says who signs in: one is bound to one account. */
  withCertificate(ctx: Context, attempt: CertificateAttempt): Promise<CertificateOutcome>;
}

export interface IdentifyCertificateSources {
  readonly certificates: Certificates;
  readonly boundFactors: BoundFactors;
  readonly persons: Pick<Persons, 'find'>;
  readonly attempts: Attempts;
  readonly admission: Admission;
  /** RFC 8176. */
  readonly amr: 'hwk' | 'swk';
}

const FACTOR = 'certificate';

export function createIdentifyCertificate(sources: IdentifyCertificateSources): IdentifyCertificate {
  const { certificates, boundFactors, persons, attempts, admission, amr } = sources;
  return {
    async withCertificate(ctx, { bound, challenge, answer, clientId, again }) {
      const sessionUid = again?.sessionUid;
      const refuse = async (state: 'refused' | 'expired' | 'too_many', reason: string): Promise<CertificateOutcome> => {
        await admission.refuse(ctx, { personId: again?.personId, clientId, sessionUid, factor: FACTOR, reason });
        return { state };
      };
      // Nobody is named before the signature is right: what can be counted is this sign-in or session, and the address.
      const counted = { account: `certificate ${bound.binding}`, address: ctx.ip };
      if ((await attempts.take(counted)) !== 'allowed') return refuse('too_many', 'address_limit');
      const verdict = certificates.judge(bound, challenge, answer);
      if (verdict.state !== 'good') return refuse(verdict.state, verdict.reason);
      const record = await boundFactors.byExternalKey(FACTOR, verdict.fingerprint);
      // Of another account: it says who somebody is, and that is not who holds the session.
      if (again !== undefined && record !== undefined && record.personId !== again.personId)
        return refuse('refused', 'owner');
      const person = record && (await persons.find(record.personId));
      if (record === undefined || person === undefined) return refuse('refused', 'unknown');
      return admission.admit(ctx, {
        person,
        clientId,
        sessionUid,
        proof: { factor: FACTOR, strength: 'cryptographic', amr: [amr], at: nowSeconds() },
        attempt: counted,
        write: async (tx) =>
          (await verdict.spend(tx)) && (await boundFactors.use(tx, record.id, record.state, record.state)),
      });
    },
  };
}
