import { quantile } from './measure.ts';

/** How far two classes of answers are apart, by pairs that were asked one right after the other. Times in milliseconds. */
export interface Apart {
  /** Mann-Whitney: the chance that one of the first class took longer than one of the second; 0.5 where nobody can tell. */
  readonly auc: number;
  /** The median of the differences within the pairs: what the machine does over minutes meets both of a pair. */
  readonly medianMs: number;
  /** Where the true median is in 99 of 100 runs, by the ranks of the differences and no assumption about their shape. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** `undecided`: further apart than allowed, and by no more than chance explains on a machine this busy. */
export type ApartVerdict = 'holds' | 'MISSED' | 'undecided';

const AUC_MAX = 0.03;
const MEDIAN_MS_MAX = 1;
/** The normal deviate that leaves out one in a hundred, two-sided. */
const DEVIATE_99 = 2.576;

/** Two rows of the same length; the n-th of each belong together. */
export function apart(left: readonly number[], right: readonly number[]): Apart {
  const differences = left.map((ms, at) => ms - right[at]!).sort((a, b) => a - b);
  const count = differences.length;
  const reach = (DEVIATE_99 * Math.sqrt(count)) / 2;
  return {
    auc: auc(left, right),
    medianMs: quantile(differences, 0.5),
    fromMs: differences[Math.max(0, Math.floor(count / 2 - reach) - 1)] ?? 0,
    toMs: differences[Math.min(count - 1, Math.ceil(count / 2 + reach))] ?? 0,
  };
}

/** A median a millisecond apart is a leak when chance does not explain it; ranks that differ are one in any case. */
export function apartVerdict({ auc: area, medianMs, fromMs, toMs }: Apart): ApartVerdict {
  if (Math.abs(area - 0.5) > AUC_MAX) return 'MISSED';
  if (Math.abs(medianMs) < MEDIAN_MS_MAX) return 'holds';
  return fromMs <= 0 && toMs >= 0 ? 'undecided' : 'MISSED';
}

/** Ties count half. */
function auc(left: readonly number[], right: readonly number[]): number {
  const all = [...left.map((ms) => ({ ms, first: true })), ...right.map((ms) => ({ ms, first: false }))];
  all.sort((a, b) => a.ms - b.ms);
  let ranks = 0;
  for (let at = 0; at < all.length; ) {
    let end = at;
    while (end < all.length && all[end]!.ms === all[at]!.ms) end += 1;
    const rank = (at + 1 + end) / 2;
    for (let n = at; n < end; n += 1) if (all[n]!.first) ranks += rank;
    at = end;
  }
  return (ranks - (left.length * (left.length + 1)) / 2) / (left.length * right.length);
}
