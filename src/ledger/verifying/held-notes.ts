import { type Checkpoint, parseNote, type VerifierKey } from '../checkpoints/checkpoint.ts';
import type { Findings } from './verdict.ts';
import type { VerifyPool } from './verify-pool.ts';

/** A note and where it comes from. Those of the ledger itself must hold; those brought along may be damaged or of another house. */
export interface HeldNote {
  readonly note: string;
  /** The name of the file it was brought in; undefined for the ledger's own. */
  readonly broughtAs?: string;
}

export interface Trust {
  readonly key: VerifierKey;
  readonly witnesses: readonly VerifierKey[];
}

/** A root that somebody signed, to be met when the tree has this size. */
export interface SignedRoot extends Pick<Checkpoint, 'size' | 'root'> {
  readonly brought: boolean;
}

/**
 * Checks the signatures of notes, several at a time. Resolves with the roots they sign, in the order of their sizes. A note of
 * the ledger that does not hold is tampering; one brought along that does not hold proves nothing either way.
 */
export async function judgeNotes(
  notes: readonly HeldNote[],
  trust: Trust,
  pool: VerifyPool,
  findings: Findings,
): Promise<readonly SignedRoot[]> {
  const roots: SignedRoot[] = [];
  for (let at = 0; at < notes.length; at += pool.jobsMax) {
    const some = notes.slice(at, at + pool.jobsMax);
    const judged = await Promise.all(some.map((held) => judgeOne(held, trust, pool, findings)));
    roots.push(...judged.filter((root) => root !== undefined));
  }
  findings.counts.checkpoints += roots.length;
  return roots.sort((left, right) => left.size - right.size);
}

async function judgeOne(
  { note, broughtAs }: HeldNote,
  { key, witnesses }: Trust,
  pool: VerifyPool,
  findings: Findings,
): Promise<SignedRoot | undefined> {
  const refuse = (reason: string, size?: number): undefined => {
    if (broughtAs !== undefined) findings.undecided(`${broughtAs}: ${reason}`);
    else findings.tampered(reason, size === undefined ? {} : { checkpoint: size });
  };
  const parsed = parseNote(note);
  if (parsed === undefined) return refuse('A checkpoint is not well formed.');
  const { origin, size, root } = parsed.checkpoint;
  if (origin !== key.name) return refuse(`The checkpoint of size ${size} is of another ledger.`, size);
  const { signed, cosigned, miscosigned, unknown } = await pool.run({ kind: 'note', note, key, witnesses });
  if (!signed) return refuse(`The checkpoint of size ${size} is not signed with the trusted key.`, size);
  if (miscosigned > 0)
    return refuse(`The cosignature of a witness under the checkpoint of size ${size} is wrong.`, size);
  findings.counts.cosignatures += cosigned;
  findings.counts.cosignaturesUnknown += unknown;
  return { size, root, brought: broughtAs !== undefined };
}
