import type { Attempts } from '../attempts.ts';
import type { BoundFactors, FactorRecord } from '../bound-factors.ts';
import type { Factor, FactorUse } from '../factor.ts';
import { guarded } from '../factor-attempts.ts';
import type { ChallengeBinding } from '../signed-challenges.ts';
import { ASSERTION } from './passkey-form.ts';
import type { Passkeys } from './passkeys.ts';

const KIND = 'passkey';

const boundOf = ({ binding, browser }: FactorUse): ChallengeBinding => ({ purpose: 'second-factor', binding, browser });

/**
 * A passkey beside the password: the device need not ask who is there, for the password has. `cloned` is told of a key that somebody
 * has copied.
 */
export function createPasskeyFactor({
  passkeys,
  boundFactors,
  attempts,
  cloned,
}: {
  readonly passkeys: Passkeys;
  readonly boundFactors: BoundFactors;
  readonly attempts: Attempts;
  readonly cloned: (record: FactorRecord, use: FactorUse) => Promise<void>;
}): Factor {
  return {
    kind: KIND,
    amr: ['hwk', 'swk', 'user'],
    strength: 'cryptographic',
    needsScript: true,
    async boundTo(personId) {
      return (await boundFactors.list(personId)).filter(({ kind }) => kind === KIND);
    },
    async begin(use) {
      const records = await boundFactors.records(use.personId, KIND);
      if (records.length === 0) return { state: 'unavailable' };
      return { state: 'ready', shown: { options: passkeys.proofOptions(boundOf(use), records) } };
    },
    verify: (use, entered) =>
      guarded(attempts, 'second_factor', use, async () => {
        const assertion = ASSERTION.safeParse(entered);
        if (!assertion.success) return { state: 'mismatch' };
        const wanted = { personId: use.personId, verified: false };
        const verdict = await passkeys.prove(boundOf(use), assertion.data, wanted);
        if (verdict.state === 'cloned') await cloned(verdict.record, use);
        if (verdict.state === 'expired') return { state: 'expired' };
        if (verdict.state !== 'proven') return { state: 'mismatch' };
        return { state: 'proven', factorId: verdict.record.id, amr: verdict.amr, write: verdict.write };
      }),
  };
}
