/** When a register is doubted that suddenly finds too few. */
export interface DoubtRules {
  /** The share of mismatches among the latest answers above which nobody's level falls any more. */
  readonly mismatchPercentMax: number;
}

export interface Doubt {
  /** Takes the answers of one step and says whether its mismatches are to be doubted rather than believed. */
  arises(matches: number, mismatches: number): boolean;
}

/** Fewer mismatches than this are people; more may be a register that was emptied, or an adapter that asks the wrong way. */
const MISMATCHES_MIN = 10;
const ANSWERS_KEPT = 500;

/** A broken register must not lower a whole province in one night. Looks at the latest answers of this process. */
export function createDoubt({ mismatchPercentMax }: DoubtRules): Doubt {
  const steps: { readonly matches: number; readonly mismatches: number }[] = [];
  return {
    arises(matches, mismatches) {
      steps.push({ matches, mismatches });
      let kept = steps.reduce((sum, step) => sum + step.matches + step.mismatches, 0);
      while (kept > ANSWERS_KEPT && steps.length > 1) {
        const oldest = steps.shift()!;
        kept -= oldest.matches + oldest.mismatches;
      }
      const missed = steps.reduce((sum, step) => sum + step.mismatches, 0);
      return mismatches > 0 && missed >= MISMATCHES_MIN && missed * 100 > kept * mismatchPercentMax;
    },
  };
}
