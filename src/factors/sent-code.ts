import type { Database, Transaction } from '../storage/database.ts';
import type { Attempts } from './attempts.ts';
import type { BeginWishes, Factor, FactorUse } from './factor.ts';
import { guarded, typedCode } from './factor-attempts.ts';
import type { CodeBinding, OneTimeCodes } from './one-time-code.ts';

/** Where a code can go: an address the person has proven to be theirs, as it may be shown, and since when (epoch seconds). */
export interface CodeTarget {
  readonly address: string;
  readonly masked: string;
  readonly provenAt: number;
}

/** How codes of one kind reach people; the rooms of people and messages hand it in. */
export interface CodeRoute {
  /** Undefined for somebody who has proven no such address, and where nothing leaves the house this way. */
  target(personId: string): Promise<CodeTarget | undefined>;
  readonly hasVoice: boolean;
  /** Takes one from the quotas of the number, the person, the network and the day (D17). */
  admit(target: CodeTarget, use: FactorUse): Promise<boolean>;
  /** Puts the message into the transaction of its code. */
  post(
    tx: Transaction,
    message: {
      readonly target: CodeTarget;
      readonly personId: string;
      readonly code: string;
      readonly minutes: string;
      readonly wishes: BeginWishes;
    },
  ): Promise<void>;
  /** Called after the commit. */
  sent(): void;
}

export interface SentCodeOptions {
  readonly kind: 'sms_code' | 'email_code';
  readonly amr: readonly string[];
  readonly database: Database;
  readonly codes: OneTimeCodes;
  readonly attempts: Attempts;
  readonly route: CodeRoute;
}

/**
 * Codes sent to a phone or mailbox. They prove that the person can be reached and nothing stronger: numbers are ported and mailboxes
 * read by others, so no account has them as its only strong factor (D17).
 */
export function createSentCode({ kind, amr, database, codes, attempts, route }: SentCodeOptions): Factor {
  const boundOf = ({ personId, binding, browser }: FactorUse): CodeBinding => ({
    purpose: 'second_factor',
    // Begins with the person: their codes go with them.
    binding: `${personId} ${kind} ${binding}`,
    browser,
  });

  return {
    kind,
    amr,
    strength: 'weak',
    needsScript: false,
    async boundTo(personId) {
      const target = await route.target(personId);
      return target ? [{ id: kind, kind, personId, label: target.masked, boundAt: target.provenAt }] : [];
    },

    async begin(use, wishes) {
      const { personId } = use;
      const target = await route.target(personId);
      if (target === undefined) return { state: 'unavailable' };
      const bound = boundOf(use);
      const shown = { address: target.masked, voice: route.hasVoice ? 'yes' : 'no' };
      if (wishes.again !== true && (await codes.holds(bound))) return { state: 'sent_already', shown };
      if (!(await route.admit(target, use))) return { state: 'too_many' };
      const state = await database.write(async (tx) => {
        const issued = await codes.issue(tx, bound);
        if (issued.state === 'issued') {
          const { code, minutes } = issued;
          await route.post(tx, { target, personId, code, minutes, wishes });
        }
        return issued.state;
      });
      route.sent();
      if (state === 'exhausted') return { state: 'too_many' };
      return { state: state === 'issued' ? 'ready' : 'sent_already', shown };
    },

    verify: (use, { code }) =>
      guarded(attempts, 'sent_code', use, async () => {
        const checked = await codes.check(boundOf(use), typedCode(code));
        if (checked.state !== 'match') return { state: checked.state };
        return { state: 'proven', factorId: kind, amr, write: checked.consume };
      }),
  };
}
