import { type ExportHeader, hashBytes, parseLine } from '../auditing/export-format.ts';
import { leafHash, verifyInclusion } from '../tree/merkle.ts';
import type { ExportFile } from './export-file.ts';
import type { SignedRoot } from './held-notes.ts';
import { openingFault, readEntry } from './tile-judge.ts';
import type { Findings } from './verdict.ts';

/**
 * Judges a selection: every entry is proven to stand in the signed tree at its number. Whether the selection is complete cannot be
 * told. True when everything up to the last line was in order.
 */
export async function judgeRecords(
  file: ExportFile,
  header: ExportHeader,
  roots: readonly SignedRoot[],
  findings: Findings,
): Promise<boolean> {
  // Two signed roots of one size are two histories: no proof can lead to both.
  const [root, ...others] = roots.filter(({ size }) => size === header.size);
  const fork = root !== undefined && others.some((other) => !other.root.equals(root.root));
  if (fork)
    findings.tampered(`Two different roots over ${header.size} entries were signed.`, { checkpoint: header.size });
  let after = header.from - 1;
  for await (const text of file.lines()) {
    const outcome = judgeRecord(text, after, header, root);
    if (typeof outcome === 'object') {
      findings.tampered(outcome.reason, outcome.seq === undefined ? {} : { seq: outcome.seq });
      return false;
    }
    after = outcome;
    findings.counts.entries += 1;
  }
  const complete = findings.counts.entries === 0 ? header.from === header.to : after === header.to - 1;
  if (!complete) findings.tampered('The entry the header ends with is missing.', { seq: header.to - 1 });
  return complete && !fork;
}

/** The number of the entry, or what is wrong with its line. */
function judgeRecord(
  text: string,
  after: number,
  { from, to, size }: ExportHeader,
  root: SignedRoot | undefined,
): number | { readonly seq?: number; readonly reason: string } {
  const line = parseLine(text);
  if (line?.kind !== 'entry' || line.proof === undefined)
    return { reason: `The line after entry ${after} is malformed.` };
  const { seq, entry, openings, proof } = line;
  if (seq <= after || seq >= to) return { seq, reason: 'The entry is not in the order of the numbers.' };
  if (after === from - 1 && seq !== from) return { seq: from, reason: 'The entry the header begins with is missing.' };
  const read = readEntry(entry);
  if (typeof read === 'string') return { seq, reason: read };
  const hashes = proof.map((hash) => hashBytes(hash)!);
  if (root !== undefined && !verifyInclusion(seq, size, leafHash(seq, entry), hashes, root.root)) {
    return { seq, reason: 'The entry is not in the signed tree at this number.' };
  }
  const reason = openings === undefined ? undefined : openingFault(read.entry, openings);
  return reason === undefined ? seq : { seq, reason };
}
