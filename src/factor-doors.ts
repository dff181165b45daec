import type { House } from './app.ts';
import type { Sealer } from './crypto/sealing.ts';
import { addressGroup } from './defence/networks.ts';
import type { Attempts } from './factors/attempts.ts';
import { type BoundFactors, createBoundFactors } from './factors/bound-factors.ts';
import { createCertificateFactor } from './factors/certificates/certificate-factor.ts';
import { type MovedPasswords, moveEarlier, moveEarlierBack, shredEarlier } from './factors/earlier-passwords.ts';
import type { Factor } from './factors/factor.ts';
import { createFactorChallenges, type FactorChallenges } from './factors/factor-challenges.ts';
import { createFactorPolicies, type FactorPolicies } from './factors/factor-policies.ts';
import { createOtpToken } from './factors/otp-token.ts';
import { createPasskeyFactor } from './factors/passkeys/passkey-factor.ts';
import { createRecoveryCodeFactor } from './factors/recovery-code-factor.ts';
import { type CodeRoute, createSentCode } from './factors/sent-code.ts';
import { createTokenBinding, type TokenBinding } from './factors/token-binding.ts';
import { createTokenStock, type TokenStock } from './factors/token-stock.ts';
import { createTotp } from './factors/totp.ts';
import { createTotpEnrolment, type TotpEnrolment } from './factors/totp-enrolment.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { Holdings } from './people/lifecycle/holdings.ts';
import { maskEmail, maskPhone } from './people/masking.ts';
import { certificateAmr, tellCloned } from './possession-doors.ts';
import type { KeyFor } from './reaching-doors.ts';
import type { Database } from './storage/database.ts';

/** What the factors of people are kept in. */
export interface FactorDoors {
  readonly boundFactors: BoundFactors;
  readonly factorChallenges: FactorChallenges;
  readonly factorPolicies: FactorPolicies;
  readonly tokenStock: TokenStock;
  /** Binds a hardware token; the limiter is that of the server, which commands have none of. */
  readonly tokenBinding: (attempts: Attempts) => TokenBinding;
  readonly totpEnrolment: TotpEnrolment;
}

export interface FactorSources {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly ledger: Ledger;
  readonly keyFor: KeyFor;
}

export function createFactorDoors({ database, sealer, ledger, keyFor }: FactorSources): FactorDoors {
  const boundFactors = createBoundFactors({ database, sealer, ledger });
  const factorChallenges = createFactorChallenges({ database, sealer, key: keyFor('factor-challenges') });
  return {
    boundFactors,
    factorChallenges,
    factorPolicies: createFactorPolicies({ database, ledger }),
    tokenStock: createTokenStock({ database, sealer, ledger }),
    tokenBinding: (attempts) => createTokenBinding({ database, sealer, ledger, boundFactors, attempts }),
    totpEnrolment: createTotpEnrolment({ database, boundFactors, challenges: factorChallenges }),
  };
}

/** What a server that listens has beside the house. */
export interface FactorSurroundings {
  readonly attempts: Attempts;
  readonly wakeOutbox: () => void;
}

/** Every factor people can prove themselves with at a sign-in, the strongest first. */
export function createFactors(house: House, { attempts, wakeOutbox }: FactorSurroundings): readonly Factor[] {
  const { database, ledger, boundFactors, reaching } = house;
  const { codes } = reaching;
  const sent = { database, codes, attempts };
  return [
    createPasskeyFactor({
      passkeys: house.passkeys,
      boundFactors,
      attempts,
      cloned: (record, use) => tellCloned(house, record, use),
    }),
    ...(house.certificates.offered
      ? [
          createCertificateFactor({
            certificates: house.certificates,
            boundFactors,
            attempts,
            amr: certificateAmr(house.config),
          }),
        ]
      : []),
    createOtpToken({ boundFactors, attempts }),
    createTotp({ boundFactors, attempts }),
    createSentCode({ ...sent, kind: 'sms_code', amr: ['sms'], route: codeRoute(house, 'sms', wakeOutbox) }),
    // RFC 8176 has no name for a code by e-mail but that of all codes that work once.
    createSentCode({ ...sent, kind: 'email_code', amr: ['otp'], route: codeRoute(house, 'email', wakeOutbox) }),
    createRecoveryCodeFactor({
      recoveryCodes: reaching.recoveryCodes,
      attempts,
      ledger,
      tell: (tx, personId) => reaching.notices.tell(tx, personId, 'recovery-code-used', {}),
    }),
  ];
}

/** Codes go only where the person has proven to be reached, under the same quotas as every other code (D17). */
function codeRoute({ config, reaching }: House, channel: 'sms' | 'email', wakeOutbox: () => void): CodeRoute {
  const { messages, messageQuota, channelsOf } = reaching;
  const hasVoice = channel === 'sms' && messages.reaches('voice');
  return {
    hasVoice,
    async target(personId) {
      if (!messages.reaches(channel)) return undefined;
      const at = (await channelsOf(personId)).find((one) => one.channel === channel);
      if (at === undefined) return undefined;
      const masked = channel === 'sms' ? maskPhone(at.address) : maskEmail(at.address);
      return { address: at.address, masked, provenAt: at.provenAt ?? 0 };
    },
    async admit({ address }, { personId, address: from }) {
      const asked = { address, account: personId, network: addressGroup(from) };
      return (await messageQuota.admit(asked)) === 'admitted';
    },
    post: (tx, { target, personId, code, minutes, wishes }) =>
      messages.post(tx, {
        channel: wishes.voice === true && hasVoice ? 'voice' : channel,
        address: target.address,
        template: 'code-second-factor',
        values: { code, minutes },
        language: wishes.language,
        personId,
        lifetimeSeconds: config.codes.lifetimeSeconds,
      }),
    sent: wakeOutbox,
  };
}

/**
 * Factors never go over to another account: who proves the one with a password alone must not so get around the second factor that
 * guards it. Whoever wants to merge takes them off first, which asks for that very factor (D13).
 */
export const factorHoldings = ({
  boundFactors,
  factorPolicies,
}: Pick<FactorDoors, 'boundFactors' | 'factorPolicies'>): Holdings => ({
  name: 'factors',
  async move(tx, { mergedId }) {
    const isGuarded =
      (await boundFactors.kindsOf(mergedId, tx)).size > 0 || (await factorPolicies.of(mergedId, tx)).alwaysAsk;
    return isGuarded ? { ok: false, reason: 'has_factors' } : { ok: true, moved: {}, counts: {} };
  },
  async moveBack() {
    return { ok: true };
  },
  async shred(tx, personId) {
    await boundFactors.shred(tx, personId);
    await tx.run('DELETE FROM factor_policies WHERE person_id = $1', [personId]);
  },
});

/** The passwords somebody had before go with them: to the account that is kept, and away with the account. */
export const passwordHoldings: Holdings = {
  name: 'passwords',
  async move(tx, { keptId, mergedId }) {
    return { ok: true, moved: { ...(await moveEarlier(tx, keptId, mergedId)) }, counts: {} };
  },
  async moveBack(tx, { keptId, mergedId }, moved) {
    // Of a merge that is older than these rows nothing has gone over.
    const { earlier = [], present } = moved as Partial<MovedPasswords>;
    await moveEarlierBack(tx, keptId, mergedId, { earlier, ...(present === undefined ? {} : { present }) });
    return { ok: true };
  },
  shred: shredEarlier,
};
