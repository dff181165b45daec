import type { Database, Transaction } from '../storage/database.ts';
import type { BindOutcome, BoundFactors, FactorChange } from './bound-factors.ts';
import { typedCode } from './factor-attempts.ts';
import type { ChallengeBinding, FactorChallenges } from './factor-challenges.ts';
import { stepState } from './stepped-code.ts';
import { newTotpSecret, totpStep } from './totp.ts';

/** Whose app is bound, in which session and browser. */
export type TotpPlace = Omit<ChallengeBinding, 'purpose'> & { readonly personId: string };

export type TotpBindOutcome = BindOutcome | { readonly ok: false; readonly reason: 'mismatch' | 'expired' };

/** Binding an authenticator app: a secret is shown, and counts from the first code that comes out of it. */
export interface TotpEnrolment {
  /** The secret to be shown; the same one while the page is looked at again. */
  secretFor(place: TotpPlace): Promise<string>;
  /**
   * Binds the app whose code this is. `told` runs in the same transaction.
   * `expired`: nothing was shown here, or too long ago.
   */
  confirm(
    place: TotpPlace,
    entered: { readonly code: string; readonly label: string },
    change: FactorChange,
    told: (tx: Transaction) => Promise<void>,
  ): Promise<TotpBindOutcome>;
}

const PURPOSE = 'totp-enrolment';
const LIFETIME_SECONDS = 900;

export function createTotpEnrolment({
  database,
  boundFactors,
  challenges,
}: {
  readonly database: Database;
  readonly boundFactors: BoundFactors;
  readonly challenges: FactorChallenges;
}): TotpEnrolment {
  return {
    async secretFor(place) {
      const bound = { ...place, purpose: PURPOSE };
      const held = await challenges.find(bound);
      if (held !== undefined) return held.content;
      const secret = newTotpSecret();
      await database.write((tx) => challenges.put(tx, bound, secret, LIFETIME_SECONDS));
      return secret;
    },

    async confirm(place, { code, label }, change, told) {
      const held = await challenges.find({ ...place, purpose: PURPOSE });
      if (held === undefined) return { ok: false, reason: 'expired' };
      const step = totpStep(held.content, typedCode(code));
      if (step === undefined) return { ok: false, reason: 'mismatch' };
      return database.write(async (tx): Promise<TotpBindOutcome> => {
        if (!(await held.take(tx))) return { ok: false, reason: 'expired' };
        // The code that binds is spent: it signs nobody in.
        const state = stepState({ lastStep: step, drift: 0 });
        const { personId } = place;
        const factor = { kind: 'totp', personId, label, secret: held.content, state } as const;
        const outcome = await boundFactors.bind(tx, factor, change);
        if (outcome.ok) await told(tx);
        return outcome;
      });
    },
  };
}
