import { z } from 'zod';
import type { Attempts } from '../attempts.ts';
import type { BoundFactors } from '../bound-factors.ts';
import type { Factor, FactorUse } from '../factor.ts';
import { guarded } from '../factor-attempts.ts';
import type { ChallengeBinding } from '../signed-challenges.ts';
import type { Certificates } from './certificates.ts';

export const CERTIFICATE_FIELDS = {
  challenge: z.string().max(128),
  // Longer than any answer may be, so that the judge answers instead of the parser.
  answer: z.string().max(16_384),
};
const ENTERED = z.object(CERTIFICATE_FIELDS);
const KIND = 'certificate';

const boundOf = ({ binding, browser }: FactorUse): ChallengeBinding => ({ purpose: 'second-factor', binding, browser });

/** A certificate beside the password. */
export function createCertificateFactor({
  certificates,
  boundFactors,
  attempts,
  amr,
}: {
  readonly certificates: Certificates;
  readonly boundFactors: BoundFactors;
  readonly attempts: Attempts;
  /** `hwk` where the authorities give keys in hardware alone, else `swk` (RFC 8176). */
  readonly amr: 'hwk' | 'swk';
}): Factor {
  return {
    kind: KIND,
    amr: [amr],
    strength: 'cryptographic',
    needsScript: false,
    async boundTo(personId) {
      return (await boundFactors.list(personId)).filter(({ kind }) => kind === KIND);
    },
    async begin(use) {
      if (!(await boundFactors.kindsOf(use.personId)).has(KIND)) return { state: 'unavailable' };
      const { challenge, text } = certificates.request(boundOf(use));
      return { state: 'ready', shown: { challenge, text } };
    },
    verify: (use, entered) =>
      guarded(attempts, 'second_factor', use, async () => {
        const form = ENTERED.safeParse(entered);
        if (!form.success) return { state: 'mismatch' };
        const verdict = certificates.judge(boundOf(use), form.data.challenge, form.data.answer);
        if (verdict.state !== 'good') return { state: verdict.state === 'expired' ? 'expired' : 'mismatch' };
        const record = await boundFactors.byExternalKey(KIND, verdict.fingerprint);
        if (record?.personId !== use.personId) return { state: 'mismatch' };
        return {
          state: 'proven',
          factorId: record.id,
          amr: [amr],
          write: async (tx) =>
            (await verdict.spend(tx)) && (await boundFactors.use(tx, record.id, record.state, record.state)),
        };
      }),
  };
}
