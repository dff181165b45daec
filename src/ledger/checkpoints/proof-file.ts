import { Fault } from '../../shared/fault.ts';
import { HASH_BYTES, leafHash, verifyInclusion } from '../tree/merkle.ts';
import { isSize } from '../tree/tree-shape.ts';
import { type Checkpoint, canonicalBase64, type NoteVerifier, parseNote, verifyNote } from './checkpoint.ts';

/** What shows that one entry stands in the ledger: to be kept beside the entry, checked without us. */
export interface ProofFile {
  /** The sequence number of the entry. */
  readonly index: number;
  /** Sibling hashes, leaf to root, as `inclusionProof` gives them. */
  readonly hashes: readonly Buffer[];
  /** The signed checkpoint, as it was issued. */
  readonly note: string;
}

export const PROOF_FILE_EXTENSION = '.tlog-proof';

const FIRST_LINE = 'tongban/tlog-proof-sm3@v1';
const INDEX_LINE = /^index (?<index>0|[1-9]\d{0,15})$/;
/** A tree of 2^53 leaves is 53 high. */
const HASHES_MAX = 53;
const FILE_CHARS_MAX = 16_384;

/** The text of a proof file (L7). Throws `Fault('internal')` when it could not be read back. */
export function writeProofFile({ index, hashes, note }: ProofFile): string {
  const lines = [FIRST_LINE, `index ${index}`, ...hashes.map((hash) => hash.toString('base64'))];
  const text = `${lines.join('\n')}\n\n${note}`;
  if (parseProofFile(text) === undefined) throw new Fault('internal', 'This is no proof of an entry of the ledger.');
  return text;
}

/** Takes a proof file apart, nothing verified yet; undefined when one character of it is not as `writeProofFile` writes it. */
export function parseProofFile(text: string): ProofFile | undefined {
  if (text.length > FILE_CHARS_MAX) return undefined;
  const gap = text.indexOf('\n\n');
  if (gap < 0) return undefined;
  const [first, second = '', ...rest] = text.slice(0, gap).split('\n');
  const index = Number(INDEX_LINE.exec(second)?.groups?.index);
  const hashes = rest.map(canonicalBase64);
  const note = text.slice(gap + 2);
  const size = parseNote(note)?.checkpoint.size ?? 0;
  if (first !== FIRST_LINE || !isSize(index) || index >= size || hashes.length > HASHES_MAX) return undefined;
  return hashes.every((hash) => hash?.length === HASH_BYTES) ? { index, hashes: hashes as Buffer[], note } : undefined;
}

/**
 * The checkpoint under which `entry`, the canonical text as it is hashed, stands in the ledger of `verifier`. Undefined when the
 * proof, the entry or the signature is not exactly right.
 */
export function verifyProofFile(text: string, entry: string, verifier: NoteVerifier): Checkpoint | undefined {
  const proof = parseProofFile(text);
  const checkpoint = proof === undefined ? undefined : parseNote(proof.note)?.checkpoint;
  if (proof === undefined || checkpoint === undefined) return undefined;
  // The tree first: it costs a thousandth of the signature.
  const leaf = leafHash(proof.index, entry);
  if (!verifyInclusion(proof.index, checkpoint.size, leaf, proof.hashes, checkpoint.root)) return undefined;
  return verifyNote(proof.note, verifier);
}
