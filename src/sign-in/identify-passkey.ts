import type { Context } from 'koa';
import { tokenDigest } from '../crypto/digests.ts';
import type { Attempts } from '../factors/attempts.ts';
import type { FactorRecord } from '../factors/bound-factors.ts';
import type { Assertion } from '../factors/passkeys/passkey-form.ts';
import type { Passkeys } from '../factors/passkeys/passkeys.ts';
import type { ChallengeBinding } from '../factors/signed-challenges.ts';
import type { LedgerEvent } from '../ledger/ledger.ts';
import type { Persons } from '../people/persons.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Admission, AdmissionOutcome } from './admission.ts';

/** `expired`: the page had stood open for too long. Everything else that is wrong is one answer (D9). */
export type PasskeyOutcome = AdmissionOutcome | { readonly state: 'expired' | 'too_many' };

export interface PasskeyAttempt {
  readonly assertion: Assertion;
  readonly bound: ChallengeBinding;
  readonly clientId: string;
  /** Who must answer, and in which session, when somebody who is signed in proves it again. */
  readonly again?: { readonly personId: string; readonly sessionUid: string };
}

export interface IdentifyPasskey {
  /** A passkey of a device that has asked who is there stands for two factors; nothing else is asked before it. */
  withPasskey(ctx: Context, attempt: PasskeyAttempt): Promise<PasskeyOutcome>;
}

export interface IdentifyPasskeySources {
  readonly passkeys: Passkeys;
  readonly persons: Pick<Persons, 'find'>;
  readonly attempts: Attempts;
  readonly admission: Admission;
  /** Told of a key that somebody has copied. */
  readonly cloned: (
    record: FactorRecord,
    from: Pick<LedgerEvent, 'address' | 'userAgent' | 'correlation' | 'clientId'>,
  ) => Promise<void>;
}

const FACTOR = 'passkey';

export function createIdentifyPasskey(sources: IdentifyPasskeySources): IdentifyPasskey {
  const { passkeys, persons, attempts, admission, cloned } = sources;
  return {
    async withPasskey(ctx, { assertion, bound, clientId, again }) {
      const sessionUid = again?.sessionUid;
      const refuse = async <State extends PasskeyOutcome['state']>(
        state: State,
        reason: string,
        record?: FactorRecord,
      ): Promise<{ readonly state: State }> => {
        const personId = again?.personId ?? record?.personId;
        await admission.refuse(ctx, { personId, clientId, sessionUid, factor: FACTOR, reason });
        return { state };
      };
      // Counted under the credential and not under the account: whoever knows its id must not be able to shut the password out (D8).
      const counted = { account: `passkey ${tokenDigest(assertion.credential)}`, address: ctx.ip };
      const allowance = await attempts.take(counted);
      if (allowance === 'address_exhausted') return refuse('too_many', 'address_limit');
      if (allowance === 'account_exhausted') return refuse('refused', 'locked');
      const wanted = { verified: true, ...(again === undefined ? {} : { personId: again.personId }) };
      const verdict = await passkeys.prove(bound, assertion, wanted);
      if (verdict.state === 'cloned') {
        await cloned(verdict.record, {
          address: ctx.ip,
          userAgent: ctx.get('user-agent'),
          correlation: String(ctx.state.requestId),
          clientId,
        });
        return refuse('refused', 'cloned', verdict.record);
      }
      if (verdict.state !== 'proven') {
        return refuse(verdict.state === 'expired' ? 'expired' : 'refused', verdict.reason, verdict.record);
      }
      const person = await persons.find(verdict.record.personId);
      if (person === undefined) return refuse('refused', 'unknown', verdict.record);
      const { amr, write } = verdict;
      return admission.admit(ctx, {
        person,
        clientId,
        sessionUid,
        proof: { factor: FACTOR, strength: 'cryptographic', amr: [...amr], at: nowSeconds() },
        attempt: counted,
        write,
      });
    },
  };
}
