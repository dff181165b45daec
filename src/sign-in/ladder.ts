import type { Factor, FactorKind } from '../factors/factor.ts';
import type { FactorPolicies } from '../factors/factor-policies.ts';
import type { PasswordFactor } from '../factors/password.ts';
import type { AssuranceLevel } from '../proofing/levels.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { AccountPolicy, Ceremony, Demand, RiskDemand } from './ceremony.ts';
import type { LevelRules, Proof } from './levels.ts';
import type { StaffStanding } from './staff-standing.ts';

/** Whose sign-in it is, and what they have proven: for this very request, and in the session before it. */
export interface Climber {
  readonly personId: string;
  readonly ial: AssuranceLevel;
  readonly here: readonly Proof[];
  readonly before: readonly Proof[];
}

/** What is known of a request before anybody is looked up. */
export interface Asked
  extends Pick<Ceremony, 'prompt' | 'startedBy' | 'expectsOther' | 'wantsSwitch' | 'waived' | 'demand' | 'risk'> {
  /** Of the browser that asks. */
  readonly address: string;
}

/** What the levels of this house are made of: the protocol and the pages put one and the same ceremony before `nextStep`. */
export interface Ladder {
  readonly rules: LevelRules;
  /** The factors of this house beside the password. */
  readonly factors: readonly Factor[];
  ceremonyOf(asked: Asked, climber: Climber | undefined): Promise<Ceremony>;
  /** What every ceremony of this person looks up, for who knows before that there will be one. */
  lookAhead(personId: string): Promise<unknown>;
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
  readonly passwords: Pick<PasswordFactor, 'isOutdated' | 'changedAt'>;
  readonly staff: StaffDoor;
}

/** What portals for members of staff ask of everybody who comes. */
export interface StaffDoor {
  standingOf(personId: string | undefined, address: string): Promise<StaffStanding>;
  /** Proofs that are older count no more, whatever a request says. */
  readonly absoluteSeconds: number;
}

export const ALLOWED: RiskDemand = { verdict: 'allow', reasons: [] };

const NOBODY: AccountPolicy = {
  ial: 0,
  secondFactor: 'when_demanded',
  bound: [],
  hasPassword: true,
  passwordIsOutdated: false,
};

export function createLadder(sources: LadderSources): Ladder {
  const { rules, factors, policies, boundKinds, house, passwords, staff } = sources;
  const offered = factors.map(({ kind, strength }) => ({ kind, strength }));

  const demandedBy = async (personId: string): Promise<AccountPolicy['secondFactor']> => {
    if (house === 'always') return 'always';
    if (house === 'whenever-bound') return 'whenever_bound';
    return (await policies.of(personId)).alwaysAsk ? 'whenever_bound' : 'when_demanded';
  };

  /** Looked up only of whoever has not given it. */
  const hasPassword = async ({ personId, here, before }: Climber): Promise<boolean> =>
    [...here, ...before].some(({ factor }) => factor === 'password') ||
    (await passwords.changedAt(personId)) !== undefined;

  const accountOf = async (climber: Climber, demand: Demand, risk: RiskDemand): Promise<AccountPolicy> => {
    const { personId, ial } = climber;
    const [secondFactor, passwordIsOutdated] = await Promise.all([
      demandedBy(personId),
      passwords.isOutdated(personId, { asStaff: demand.staffOnly }),
    ]);
    // An ordinary visit to an ordinary portal depends on no factor, so none is looked up.
    const matters =
      secondFactor !== 'when_demanded' ||
      demand.minimum > 1 ||
      demand.levels.length > 0 ||
      demand.asksOwner ||
      demand.staffOnly ||
      risk.verdict !== 'allow';
    if (!matters) return { ial, secondFactor, bound: [], hasPassword: true, passwordIsOutdated };
    const [bound, has] = await Promise.all([boundKinds(personId), hasPassword(climber)]);
    return { ial, secondFactor, bound, hasPassword: has, passwordIsOutdated };
  };

  return {
    rules,
    factors,
    lookAhead: demandedBy,
    async ceremonyOf({ address, ...asked }, climber) {
      const { staffOnly } = asked.demand;
      const account = climber === undefined ? NOBODY : await accountOf(climber, asked.demand, asked.risk);
      return {
        ...asked,
        demand: staffOnly ? within(asked.demand, staff.absoluteSeconds) : asked.demand,
        staff: staffOnly ? await staff.standingOf(climber?.personId, address) : undefined,
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

/** The same demand for proofs that are no older. */
const within = (demand: Demand, seconds: number): Demand => ({
  ...demand,
  maxAgeSeconds: Math.min(demand.maxAgeSeconds ?? seconds, seconds),
});
