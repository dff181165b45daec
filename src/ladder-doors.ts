import type { House } from './app.ts';
import type { Config } from './config/schema.ts';
import { createOfficeRule } from './defence/staff.ts';
import type { Factor } from './factors/factor.ts';
import type { FactorPolicies } from './factors/factor-policies.ts';
import { ageDaysFor, type PasswordFactor } from './factors/password.ts';
import type { Vocabularies, Vocabulary } from './oidc/acr-levels.ts';
import type { Staff } from './people/staff.ts';
import { fromPartner, loadPartnerScales, type PartnerScale, toPartner } from './proofing/partner-scales.ts';
import { contextWords } from './reaching-doors.ts';
import { nowMs } from './shared/clock.ts';
import { createLadder, type Ladder } from './sign-in/ladder.ts';
import { LEVELS, type Level, type LevelRules } from './sign-in/levels.ts';
import type { PasswordRenewal } from './sign-in/renew-password.ts';

/** The levels of this house, as its settings define them. */
export const levelRules = ({ assurance }: Pick<Config, 'assurance'>): LevelRules =>
  ({
    table: { 1: { ial: 0, aal: 1 }, 2: assurance.level2, 3: assurance.level3, 4: assurance.level4 },
    weakCounts: assurance.weakSecondFactorCounts,
  }) as LevelRules;

/** What the ladder of a serving house is made of. */
export function houseLadder(
  {
    config,
    factorPolicies,
    passwords,
    staff,
  }: {
    readonly config: Config;
    readonly factorPolicies: FactorPolicies;
    readonly passwords: PasswordFactor;
    readonly staff: Pick<Staff, 'roleOf'>;
  },
  factors: readonly Factor[],
): Ladder {
  const officeAt = createOfficeRule(config.staff);
  return createLadder({
    rules: levelRules(config),
    factors,
    policies: factorPolicies,
    async boundKinds(personId) {
      const bound = await Promise.all(factors.map((factor) => factor.boundTo(personId)));
      return factors.flatMap(({ kind }, at) => (bound[at]!.length > 0 ? [kind] : []));
    },
    house: config.assurance.secondFactor,
    passwords,
    staff: {
      absoluteSeconds: config.staff.absoluteSeconds,
      async standingOf(personId, address) {
        const isMember = personId !== undefined && (await staff.roleOf(personId)) !== undefined;
        return { office: officeAt(address, nowMs()), isMember };
      },
    },
  });
}

/** By what a password that has grown too old is changed on the way in. */
export const passwordRenewal = ({ config, passwords, database, reaching, sessionEnds }: House): PasswordRenewal => ({
  passwords,
  lengths: config.password,
  ageDaysFor: (asStaff) => ageDaysFor(asStaff, config.password.ageDays, config.staff.passwordAgeDays),
  contextWords: contextWords(config),
  database,
  endOthers: (personId, keptUid, visit) => sessionEnds.endAllBut(personId, keptUid, 'password_changed', visit),
  tell: (tx, personId) => reaching.notices.tell(tx, personId, 'password-changed', {}),
});

/** The words of partners for our levels. A word stands for a level of the identity too, so it is never told above that. */
export function partnerVocabularies({ assurance }: Pick<Config, 'assurance'>): Vocabularies {
  const scales = loadPartnerScales(assurance.scalesFile);
  const vocabularies = new Map(Object.entries(scales).map(([name, scale]) => [name, vocabularyOf(scale)]));
  return (name) => vocabularies.get(name);
}

/** The names of the scales, for the registration of portals. */
export const scaleNames = ({ assurance }: Pick<Config, 'assurance'>): readonly string[] =>
  Object.keys(loadPartnerScales(assurance.scalesFile));

const vocabularyOf = (scale: PartnerScale): Vocabulary => ({
  countsIdentity: true,
  levelOf(word) {
    const believed = typeof word === 'string' ? fromPartner(scale, word) : undefined;
    // The lowest of their words may stand for somebody nobody has looked at; we have no level below the first.
    return believed === undefined ? undefined : (LEVELS.findLast((level) => level <= believed) ?? 1);
  },
  wordOf: (level: Level) => toPartner(scale, level) ?? scale.steps[0]!.value,
});
