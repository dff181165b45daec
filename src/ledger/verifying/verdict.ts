/** What a verification ends with. `undecided` is neither: the material or the keys do not suffice to say. */
export type Verdict = 'good' | 'tampered' | 'undecided';

/** One thing that is wrong or cannot be told, and where, as exactly as it can be said. */
export interface Finding {
  readonly verdict: 'tampered' | 'undecided';
  readonly reason: string;
  /** The entry that is wrong. */
  readonly seq?: number;
  /** Where the wrong entry must be (`to` exclusive), when hashes no longer tell which it is. */
  readonly between?: { readonly from: number; readonly to: number };
  /** The size of the checkpoint concerned. */
  readonly checkpoint?: number;
}

export interface VerifyCounts {
  readonly from: number;
  readonly to: number;
  /** Of the newest checkpoint that was checked. */
  readonly size: number;
  readonly entries: number;
  /** Stored, but not signed yet. */
  readonly beyond: number;
  readonly checkpoints: number;
  /** Notes whose size lies outside the entries: only their signatures were checked. */
  readonly checkpointsBySignature: number;
  readonly cosignatures: number;
  readonly cosignaturesUnknown: number;
  readonly openings: number;
  readonly prunes: number;
  readonly clockSteps: number;
}

export interface Outcome {
  readonly verdict: Verdict;
  /** The smallest sequence number known to be wrong. */
  readonly firstBad?: number;
  readonly between?: { readonly from: number; readonly to: number };
  readonly checkpoint?: number;
  readonly reason: string;
  readonly findings: readonly Finding[];
  readonly counts: VerifyCounts;
}

const FINDINGS_MAX = 100;

export const EMPTY_COUNTS: VerifyCounts = {
  from: 0,
  to: 0,
  size: 0,
  entries: 0,
  beyond: 0,
  checkpoints: 0,
  checkpointsBySignature: 0,
  cosignatures: 0,
  cosignaturesUnknown: 0,
  openings: 0,
  prunes: 0,
  clockSteps: 0,
};

/** What was found so far and what was counted. */
export class Findings {
  readonly #findings: Finding[] = [];
  readonly counts: { -readonly [Name in keyof VerifyCounts]: number } = { ...EMPTY_COUNTS };

  add(finding: Finding): void {
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push(finding);
  }

  tampered(reason: string, where: Pick<Finding, 'seq' | 'between' | 'checkpoint'> = {}): void {
    this.add({ verdict: 'tampered', reason, ...where });
  }

  undecided(reason: string): void {
    this.add({ verdict: 'undecided', reason });
  }

  /** Tampered outweighs undecided; among findings of tampering the one that names the smallest entry speaks first. */
  outcome(): Outcome {
    const findings = [...this.#findings].sort((left, right) => rank(left) - rank(right));
    const [first] = findings;
    const counts: VerifyCounts = { ...this.counts };
    if (first === undefined) return { verdict: 'good', reason: 'All checks hold.', findings, counts };
    const { verdict, reason, seq, between, checkpoint } = first;
    return {
      verdict,
      ...(seq === undefined ? {} : { firstBad: seq }),
      ...(between === undefined ? {} : { between }),
      ...(checkpoint === undefined ? {} : { checkpoint }),
      reason,
      findings,
      counts,
    };
  }
}

/** Findings of tampering first: those with an entry by its number, then those with a checkpoint, then the others. */
function rank({ verdict, seq, between, checkpoint }: Finding): number {
  if (verdict === 'undecided') return 4 * Number.MAX_SAFE_INTEGER;
  if (seq !== undefined) return seq;
  if (between !== undefined) return Number.MAX_SAFE_INTEGER + between.from;
  return checkpoint === undefined ? 3 * Number.MAX_SAFE_INTEGER : 2 * Number.MAX_SAFE_INTEGER + checkpoint;
}
