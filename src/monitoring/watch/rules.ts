import type { Rule } from './rule.ts';
import {
  administratorUnusual,
  clockDrift,
  feedDown,
  ledgerMismatch,
  massRevealByOperator,
  massRevealByPortal,
  rowAltered,
  sealedDataAltered,
} from './rules-house.ts';
import {
  codeReplay,
  impossibleTravel,
  mandateBulkUse,
  newDeviceSensitiveScope,
  refreshReuse,
} from './rules-session.ts';
import { bruteForce, disabledAccountUse, passwordSpray, recoveryEnumeration, stuffingRatio } from './rules-sign-in.ts';

/** Every detection, in the order of the documentation. */
export const RULES: readonly Rule[] = [
  bruteForce,
  passwordSpray,
  stuffingRatio,
  refreshReuse,
  codeReplay,
  newDeviceSensitiveScope,
  impossibleTravel,
  disabledAccountUse,
  massRevealByPortal,
  massRevealByOperator,
  recoveryEnumeration,
  mandateBulkUse,
  administratorUnusual,
  clockDrift,
  feedDown,
  ledgerMismatch,
  sealedDataAltered,
  rowAltered,
];

export const findRule = (id: string): Rule | undefined => RULES.find((rule) => rule.id === id);

/** The rules that look at a type of event. */
export function rulesByType(rules: readonly Rule[]): (type: string) => readonly Rule[] {
  const known = new Map<string, readonly Rule[]>();
  return (type) => {
    let looking = known.get(type);
    if (looking === undefined) {
      looking = rules.filter(({ looksAt }) =>
        looksAt.some((sort) => (sort.endsWith('.') ? type.startsWith(sort) : type === sort)),
      );
      known.set(type, looking);
    }
    return looking;
  };
}
