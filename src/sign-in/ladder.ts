import type { Factor, FactorKind } from '../factors/factor.ts';
import type { FactorPolicies } from '../factors/factor-policies.ts';
import type { AssuranceLevel } from '../proofing/levels.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { AccountPolicy, Ceremony, RiskDemand } from './ceremony.ts';
import type { LevelRules, Proof } from './levels.ts';

/** Whose sign-in it is, and what they have proven: for this very request, and in the session before it. */
export interface Climber {
  readonly personId: string;
  readonly ial: AssuranceLevel;
  readonly here: readonly Proof[];
  readonly before: readonly Proof[];
}

/** What is known of a request before anybody is looked up. */
export type Asked = Pick<
  Ceremony,
  'prompt' | 'startedBy' | 'expectsOther' | 'wantsSwitch' | 'waived' | 'demand' | 'risk'
>;

/** What the levels of this house are made of: the protocol and the pages put one and the same ceremony before `nextStep`. */
export interface Ladder {
  readonly rules: LevelRules;
  /** The factors of this house beside the password. */
  readonly factors: readonly Factor[];
  ceremonyOf(asked: Asked, climber: Climber | undefined): Promise<Ceremony>;
}

/** Who is asked for a second factor whatever the portal wants. */
export type HousePolicy = 'as-chosen' | 'whenever-bound' | 'always';

export interface LadderSources {
  readonly rules: LevelRules;
  readonly factors: readonly Factor[];
  readonly policies: Pick<FactorPolicies, 'of'>;
  /** The kinds a person can be asked for. */
  readonly boundKinds: (personId: string) => Promise<readonly FactorKind[]>;
  readonly house: HousePolicy;
}

export const ALLOWED: RiskDemand = { verdict: 'allow', reasons: [] };

const NOBODY: AccountPolicy = { ial: 0, secondFactor: 'when_demanded', bound: [] };

export function createLadder({ rules, factors, policies, boundKinds, house }: LadderSources): Ladder {
  const offered = factors.map(({ kind, strength }) => ({ kind, strength }));

  const demandedBy = async (personId: string): Promise<AccountPolicy['secondFactor']> => {
    if (house === 'always') return 'always';
    if (house === 'whenever-bound') return 'whenever_bound';
    return (await policies.of(personId)).alwaysAsk ? 'whenever_bound' : 'when_demanded';
  };

  const accountOf = async ({ personId, ial }: Climber, { demand, risk }: Asked): Promise<AccountPolicy> => {
    const secondFactor = await demandedBy(personId);
    // An ordinary visit to an ordinary portal depends on no factor, so none is looked up.
    const matters =
      secondFactor !== 'when_demanded' ||
      demand.minimum > 1 ||
      demand.levels.length > 0 ||
      demand.asksOwner ||
      risk.verdict !== 'allow';
    return { ial, secondFactor, bound: matters ? await boundKinds(personId) : [] };
  };

  return {
    rules,
    factors,
    async ceremonyOf(asked, climber) {
      const account = climber === undefined ? NOBODY : await accountOf(climber, asked);
      return {
        ...asked,
        person: climber?.personId,
        here: climber?.here ?? [],
        before: climber?.before ?? [],
        account,
        offered,
        rules,
        now: nowSeconds(),
      };
    },
  };
}
