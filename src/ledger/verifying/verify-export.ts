import { EXPORT_FORMAT, type ExportHeader, parseHeader, parseLine } from '../auditing/export-format.ts';
import { encodeVerifierKey, parseVerifierKey, type VerifierKey } from '../checkpoints/checkpoint.ts';
import { CompactRange, completion } from '../tree/compact-range.ts';
import { ExportFile } from './export-file.ts';
import { type HeldNote, judgeNotes, type SignedRoot, type Trust } from './held-notes.ts';
import { TreeJudge } from './tree-judge.ts';
import { Findings, type Outcome } from './verdict.ts';
import type { LinesJob } from './verify-jobs.ts';
import { inOrder, type VerifyPool, verifyHere } from './verify-pool.ts';
import { judgeRecords } from './verify-records.ts';

export interface VerifyExportOptions {
  /** The ledger's key, brought from elsewhere. Without it nothing better than `undecided` can come out. */
  readonly key?: VerifierKey | undefined;
  readonly witnesses?: readonly VerifierKey[];
  /** Checkpoints brought along: earlier ones, or those a witness keeps. */
  readonly held?: readonly HeldNote[];
  readonly pool?: VerifyPool;
  readonly onProgress?: (entriesDone: number, entriesTotal: number) => void;
}

/** The lines before the first entry, understood. */
interface Preamble {
  readonly header: ExportHeader;
  readonly notes: readonly string[];
  readonly left: readonly Buffer[];
}

/**
 * Judges an exported ledger (L14): every line, every hash, every signature. Reads the file once, holds a few tiles at a time.
 * Throws the error of the file system when the file cannot be read.
 */
export async function verifyExport(path: string, options: VerifyExportOptions = {}): Promise<Outcome> {
  const findings = new Findings();
  const file = await ExportFile.open(path);
  try {
    await judgeFile(file, findings, options);
  } finally {
    await file.close();
  }
  return findings.outcome();
}

async function judgeFile(file: ExportFile, findings: Findings, options: VerifyExportOptions): Promise<void> {
  const { pool = verifyHere } = options;
  const preamble = readPreamble(file, findings);
  if (preamble === undefined) return;
  const { header, notes, left } = preamble;
  findings.counts.from = header.from;
  findings.counts.to = header.to;
  findings.counts.size = header.size;
  const trust = chooseTrust(header, options, findings);
  if (trust === undefined) return;
  const own = await judgeNotes(
    notes.map((note) => ({ note })),
    trust,
    pool,
    findings,
  );
  const brought = await judgeNotes(options.held ?? [], trust, pool, findings);
  checkSizes(header, own, notes.length, findings);
  const roots = [...own, ...placed(header, brought, findings)];
  const whole =
    header.kind === 'records'
      ? await judgeRecords(file, header, roots, findings)
      : await judgeRange(file, { header, left, roots, pool }, findings, options.onProgress);
  if (whole) await judgeEnd(file, findings);
}

/** Who has to have signed: the key that was brought, or for want of one the key the file names. */
function chooseTrust(header: ExportHeader, options: VerifyExportOptions, findings: Findings): Trust | undefined {
  const named = parseVerifierKey(header.key);
  if (named === undefined || named.type !== 'sm2-sm3' || named.name !== header.origin) {
    findings.tampered('The header names no key of this ledger.');
    return undefined;
  }
  if (options.key === undefined) {
    findings.undecided('No key was brought from elsewhere: the file is only compared with the key it names itself.');
  } else if (encodeVerifierKey(options.key.name, options.key.type, options.key.publicKey) !== header.key) {
    findings.tampered('The header names another key than the trusted one.');
  }
  return { key: options.key ?? named, witnesses: options.witnesses ?? [] };
}

function readPreamble({ preamble, end }: ExportFile, findings: Findings): Preamble | undefined {
  const [first = '', ...rest] = preamble;
  const header = parseHeader(first);
  if (header === undefined) {
    if (end === undefined && !first.includes(EXPORT_FORMAT)) findings.undecided('This is no export of a ledger.');
    else findings.tampered('The first line is not a header of this format.');
    return undefined;
  }
  const lines = rest.map(parseLine);
  const notes = lines.flatMap((line) => (line?.kind === 'checkpoint' ? [line.note] : []));
  const after = lines.slice(notes.length);
  const [leftLine] = after;
  const left = leftLine?.kind === 'left' ? leftLine.hashes : [];
  const inOrderOfFormat =
    lines.slice(0, notes.length).every((line) => line?.kind === 'checkpoint') &&
    after.length === (header.kind === 'range' && header.from > 0 ? 1 : 0) &&
    (after.length === 0 || left.length === onesOf(header.from));
  if (inOrderOfFormat) return { header, notes, left };
  findings.tampered('The lines before the first entry are not those of this format.');
  return undefined;
}

/** How many bits of a size are set: a compact range has so many hashes. */
const onesOf = (size: number): number => BigInt(size).toString(2).replaceAll('0', '').length;

/** The checkpoints of the file lie within its entries, the last at or behind their end. */
function checkSizes(header: ExportHeader, own: readonly SignedRoot[], count: number, findings: Findings): void {
  const { kind, from, to, size } = header;
  // Those that are not well signed are told of already and do not hide what the entries show.
  if (own.length < count) return;
  const within = own.every((root) => root.size === size || (kind === 'range' && root.size >= from && root.size <= to));
  if (own.length > 0 && within && own.at(-1)?.size === size) return;
  findings.tampered('The checkpoints of the file are not those its header tells of.');
}

/** Of the notes brought along those whose root can be computed from this file. */
function placed(header: ExportHeader, brought: readonly SignedRoot[], findings: Findings): readonly SignedRoot[] {
  const { kind, from, to, size } = header;
  const newest = brought.at(-1);
  if (newest !== undefined && newest.size > size) {
    findings.undecided(`A checkpoint of size ${newest.size} is held, but this export ends with one of size ${size}.`);
  }
  const roots = brought.filter(
    (root) => root.size === size || (kind === 'range' && root.size >= from && root.size <= to),
  );
  findings.counts.checkpointsBySignature += brought.length - roots.length;
  return roots;
}

interface RangeCase {
  readonly header: ExportHeader;
  readonly left: readonly Buffer[];
  readonly roots: readonly SignedRoot[];
  readonly pool: VerifyPool;
}

/** True when everything up to the last line was judged and found in order. */
async function judgeRange(
  file: ExportFile,
  { header, left, roots, pool }: RangeCase,
  findings: Findings,
  onProgress: VerifyExportOptions['onProgress'],
): Promise<boolean> {
  const { from, to } = header;
  const judge = new TreeJudge({ start: new CompactRange(from, left), roots, findings });
  if (!judge.meetsRoots()) return false;
  const sizes = roots.map(({ size }) => size);
  const rest: string[] = [];
  for await (const { job, result } of inOrder(pool, linesJobs(file, header, sizes))) {
    if (job.from !== judge.size) {
      findings.tampered(`Entry ${judge.size} is missing.`, { seq: judge.size });
      return false;
    }
    for (const report of result.reports) if (!judge.take(report)) return false;
    if (result.stop !== undefined) {
      findings.tampered(result.stop.reason, { seq: result.stop.seq });
      return false;
    }
    rest.push(...result.rest);
    onProgress?.(judge.size - from, to - from);
  }
  if (judge.size < to) {
    findings.tampered('The file ends here; entries are missing.', { seq: judge.size });
    return false;
  }
  return completeTree(judge, header, rest, findings);
}

async function* linesJobs(
  file: ExportFile,
  { from, to }: ExportHeader,
  sizes: readonly number[],
): AsyncGenerator<LinesJob> {
  for await (const chunk of file.chunks()) {
    yield { kind: 'lines', bytes: chunk.bytes, from: chunk.from ?? from, to, sizes };
  }
}

/** Where the entries end before the newest checkpoint, a line of hashes leads to its root. */
function completeTree(
  judge: TreeJudge,
  { to, size }: ExportHeader,
  rest: readonly string[],
  findings: Findings,
): boolean {
  const [first, second] = rest;
  const line = first === undefined ? undefined : parseLine(first);
  if (line?.kind === 'entry') {
    findings.tampered('More entries stand here than the header tells of.', { seq: to });
    return false;
  }
  const nodes = completion(to, size);
  const expected = nodes.length === 0 ? first === undefined : line?.kind === 'right' && second === undefined;
  if (!expected || (line?.kind === 'right' && line.hashes.length !== nodes.length)) {
    const missing = first === undefined;
    const reason = missing
      ? 'The entries from here to the newest checkpoint are missing, and so are the hashes in their place.'
      : 'The lines after the last entry are not those of this format.';
    findings.tampered(reason, missing ? { seq: to } : {});
    return false;
  }
  if (line?.kind !== 'right') return true;
  for (const [index, { height }] of nodes.entries()) judge.push(height, line.hashes[index]!);
  return judge.meetsRoots();
}

async function judgeEnd(file: ExportFile, findings: Findings): Promise<void> {
  const line = file.end === undefined ? undefined : parseLine(file.end);
  if (line?.kind !== 'end') findings.tampered('The last line, which closes the file, is missing or malformed.');
  else if (line.count !== findings.counts.entries) findings.tampered('The last line counts other entries.');
  else if (line.sm3 !== (await file.digest()))
    findings.tampered('The bytes of the file are not those its last line tells of.');
}
