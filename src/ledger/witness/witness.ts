import { type Checkpoint, type NoteVerifier, verifyNote } from '../checkpoints/checkpoint.ts';
import { consistencyProof, type NodeReader, verifyConsistency } from '../tree/merkle.ts';

/**
 * What a witness finds when it is shown a checkpoint:
 * `first`: it holds none yet and takes this one on trust; `same`: the one it holds; `extends`: the held one is the beginning of
 * it; `rollback`: smaller than the held one, as after a restored backup; `fork`: signed, yet the held one is not its beginning;
 * `unsigned`: not signed by the key of this ledger, or no checkpoint at all.
 */
export type Admission =
  | { readonly outcome: 'first' | 'same' | 'extends' | 'rollback' | 'fork'; readonly checkpoint: Checkpoint }
  | { readonly outcome: 'unsigned' };

/** The outcomes a witness cosigns or has cosigned. */
export const isAdmitted = (outcome: Admission['outcome'] | 'unreachable'): boolean =>
  outcome === 'first' || outcome === 'same' || outcome === 'extends';

export interface AdmissionQuestion {
  /** The checkpoint held, verified when it was taken. */
  readonly held: Checkpoint | undefined;
  readonly note: string;
  /** The ledger's key, under its origin. */
  readonly verifier: NoteVerifier;
  /** Reads nodes of the tree the note is about; asked only when the note is larger than what is held. */
  readonly node: (checkpoint: Checkpoint) => NodeReader;
}

/**
 * Judges a checkpoint against the one held (L11). Pure but for reading nodes, and a node that cannot be read throws what the
 * reader throws: that the ledger does not answer is no finding. A ledger that answers with hashes which do not lead from one
 * signed root to the other cannot show that it only grew, and that is a fork.
 */
export async function admitCheckpoint({ held, note, verifier, node }: AdmissionQuestion): Promise<Admission> {
  const checkpoint = verifyNote(note, verifier);
  if (checkpoint === undefined) return { outcome: 'unsigned' };
  if (held === undefined) return { outcome: 'first', checkpoint };
  if (checkpoint.size < held.size) return { outcome: 'rollback', checkpoint };
  if (checkpoint.size === held.size) {
    return { outcome: checkpoint.root.equals(held.root) ? 'same' : 'fork', checkpoint };
  }
  const proof = await consistencyProof(held.size, checkpoint.size, node(checkpoint));
  const extended = verifyConsistency(held.size, held.root, checkpoint.size, checkpoint.root, proof);
  return { outcome: extended ? 'extends' : 'fork', checkpoint };
}
