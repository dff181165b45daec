import { type Ceremony, counted, identityFor, provenNow } from './ceremony.ts';
import {
  authenticationLevel,
  hasSecondFactor,
  LEVELS,
  type Level,
  levelReached,
  type Proof,
  TOP_LEVEL,
} from './levels.ts';

/** What a portal is told of a sign-in that is done: what was really done, of which the level is the sum. */
export interface Statement {
  readonly level: Level | undefined;
  readonly amr: readonly string[];
  /** The oldest proof among those that count. */
  readonly at: number;
}

/**
 * Pure. The top level is told only of what was proven for this very request. `ceiling` is the level that whoever is acted for allows at
 * most.
 */
export function statementOf(ceremony: Ceremony, ceiling: Level = TOP_LEVEL): Statement {
  const { account, rules, demand, now } = ceremony;
  const levelOf = (proofs: readonly Proof[]): Level | undefined => {
    const aal = authenticationLevel(proofs, rules.weakCounts);
    const level = levelReached(rules.table, account.ial, aal);
    return level && LEVELS.findLast((lower) => lower <= level && account.ial >= identityFor(ceremony, lower));
  };
  const proofs = counted(ceremony).filter(({ strength }) => strength !== 'spared');
  const fresh = levelOf(provenNow(ceremony));
  const all = levelOf(proofs) ?? 0;
  const held = fresh === TOP_LEVEL ? fresh : LEVELS.findLast((level) => level < TOP_LEVEL && level <= all);
  const reached = held && (Math.min(held, ceiling) as Level);
  const named = reached && demand.levels.filter((level) => level <= reached);
  const methods = new Set(proofs.flatMap(({ amr }) => amr));
  if (hasSecondFactor(proofs)) methods.add('mfa');
  return {
    // A portal that must have one of the levels it names is told the highest of them that holds (OpenID Connect Core 5.5.1.1).
    level: demand.essential && named && named.length > 0 ? (Math.max(...named) as Level) : reached,
    amr: [...methods],
    at: Math.min(now, ...proofs.map(({ at }) => at)),
  };
}
