import { isUtf8 } from 'node:buffer';
import { createSm2Verifier } from '../../crypto/sm2-software-signer.ts';
import { type ExportLine, parseLine } from '../auditing/export-format.ts';
import {
  type NoteVerifier,
  parseNote,
  type VerifierKey,
  verifyCosignature,
  verifyNote,
} from '../checkpoints/checkpoint.ts';
import { HASH_BYTES } from '../tree/merkle.ts';
import { TILE_WIDTH } from '../tree/tiles.ts';
import { type EntryFault, type JudgedEntry, judgeTile, type TileReport } from './tile-judge.ts';

/** A piece of an exported range: whole lines, beginning with the line of entry `from`. */
export interface LinesJob {
  readonly kind: 'lines';
  readonly bytes: Uint8Array;
  readonly from: number;
  /** Where the export ends (exclusive). */
  readonly to: number;
  /** Sizes of checkpoints that end inside a tile, ascending. */
  readonly sizes: readonly number[];
}

/** Stored entries without gaps from number `from` on, a multiple of 256, and the tiles stored for them. */
export interface RowsJob {
  readonly kind: 'rows';
  readonly from: number;
  readonly entries: readonly string[];
  readonly tiles: readonly (Uint8Array | undefined)[];
  readonly sizes: readonly number[];
}

/** A note and the keys that are trusted: the ledger's and those of witnesses. */
export interface NoteJob {
  readonly kind: 'note';
  readonly note: string;
  readonly key: VerifierKey;
  readonly witnesses: readonly VerifierKey[];
}

export interface TilesResult {
  readonly reports: readonly TileReport[];
  /** Where the lines cease to be entries and tiles in their order: at this number, for this reason. */
  readonly stop: EntryFault | undefined;
  /** Lines after the last entry of the export, a few at most. */
  readonly rest: readonly string[];
}

export interface NoteResult {
  readonly signed: boolean;
  /** Lines of trusted witnesses that hold, that do not hold, and lines of names nobody trusts. */
  readonly cosigned: number;
  readonly miscosigned: number;
  readonly unknown: number;
}

export type VerifyJob = LinesJob | RowsJob | NoteJob;
export type ResultOf<Job extends VerifyJob> = Job extends NoteJob ? NoteResult : TilesResult;

const REST_LINES_MAX = 4;
const LOOK_AHEAD_LINES_MAX = 2 * TILE_WIDTH;

/** Does one piece of a verification. Pure but for the time it takes, and therefore done on any thread. */
export function perform(job: VerifyJob): TilesResult | NoteResult {
  switch (job.kind) {
    case 'lines':
      return judgeLines(job);
    case 'rows':
      return judgeRows(job);
    default:
      return judgeNote(job);
  }
}

/** The number after the last entry of the tile that holds `seq`, or of the export. */
const tileEnd = (seq: number, to: number): number => Math.min((Math.floor(seq / TILE_WIDTH) + 1) * TILE_WIDTH, to);

const isWanted = (sizes: readonly number[], from: number, end: number): boolean =>
  sizes.some((size) => size > from && size < end);

function judgeLines({ bytes, from, to, sizes }: LinesJob): TilesResult {
  const lines = linesOf(bytes);
  const reports: TileReport[] = [];
  let next = from;
  let index = 0;
  while (next < to && index < lines.length) {
    const end = tileEnd(next, to);
    const { entries, at, stop } = takeEntries(lines, index, next, end);
    // Where a line is wrong, the hashes of the tile still tell whether an entry before it is.
    const tile =
      stop === undefined ? takeTile(lines[at], next, end) : { hashes: findTile(lines, at, next), fault: stop };
    reports.push(judgeTile({ from: next, entries, hashes: tile.hashes, leavesWanted: isWanted(sizes, next, end) }));
    if (tile.fault !== undefined) return { reports, stop: tile.fault, rest: [] };
    next = end;
    index = at + 1;
  }
  return { reports, stop: undefined, rest: lines.slice(index, index + REST_LINES_MAX) };
}

/** The lines without their ends. Bytes that are no UTF-8 make a line that no parser accepts. */
function linesOf(bytes: Uint8Array): readonly string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  const lines = text.split('\n');
  // What follows the last line end is a line that was cut off, or nothing.
  if (lines.at(-1) === '') lines.pop();
  if (isUtf8(buffer)) return lines;
  let start = 0;
  return lines.map((line) => {
    const end = buffer.indexOf(0x0a, start);
    const piece = buffer.subarray(start, end < 0 ? buffer.length : end);
    start = end + 1;
    return isUtf8(piece) ? line : '';
  });
}

function takeEntries(
  lines: readonly string[],
  index: number,
  from: number,
  end: number,
): { readonly entries: readonly JudgedEntry[]; readonly at: number; readonly stop: EntryFault | undefined } {
  const entries: JudgedEntry[] = [];
  let at = index;
  for (let seq = from; seq < end; seq += 1) {
    const text = lines[at];
    const line = text === undefined ? undefined : parseLine(text);
    const reason = text === undefined ? 'The file ends here; entries are missing.' : entryLineFault(line, seq);
    if (reason !== undefined || line?.kind !== 'entry') {
      return { entries, at, stop: { seq, reason: reason ?? 'The line is malformed.' } };
    }
    entries.push(line);
    at += 1;
  }
  return { entries, at, stop: undefined };
}

function entryLineFault(line: ExportLine | undefined, seq: number): string | undefined {
  if (line === undefined) return 'The line that should hold this entry is malformed.';
  if (line.kind !== 'entry') return `Entry ${seq} is missing.`;
  if (line.seq !== seq) return `Entry ${line.seq} stands where entry ${seq} should be.`;
  return line.proof === undefined ? undefined : 'An entry of a range carries no proof.';
}

interface TakenTile {
  readonly hashes: Buffer | undefined;
  readonly fault: EntryFault | undefined;
}

function takeTile(text: string | undefined, from: number, end: number): TakenTile {
  const line = text === undefined ? undefined : parseLine(text);
  if (line?.kind === 'entry') {
    const reason = 'An entry stands where the hashes of the tile before it should be.';
    return { hashes: undefined, fault: { seq: end, reason } };
  }
  if (line?.kind !== 'tile' || line.position !== Math.floor(from / TILE_WIDTH)) {
    return { hashes: undefined, fault: { seq: from, reason: 'The hashes of this tile are missing or malformed.' } };
  }
  const { hashes } = line;
  const count = hashes.length / HASH_BYTES;
  if (count === end - from) return { hashes, fault: undefined };
  const reason = 'The tile has another number of hashes than entries.';
  // Entries that have a hash are compared; the first without a partner is where the two part.
  return { hashes, fault: { seq: Math.min(from + count, end), reason } };
}

/** The hashes of a tile in which line `at` is wrong, looked for in the lines behind it. */
function findTile(lines: readonly string[], at: number, from: number): Buffer | undefined {
  for (let index = at; index < Math.min(lines.length, at + LOOK_AHEAD_LINES_MAX); index += 1) {
    if (!lines[index]!.startsWith('{"tile":')) continue;
    const line = parseLine(lines[index]!);
    return line?.kind === 'tile' && line.position === Math.floor(from / TILE_WIDTH) ? line.hashes : undefined;
  }
  return undefined;
}

function judgeRows({ from, entries, tiles, sizes }: RowsJob): TilesResult {
  const reports: TileReport[] = [];
  for (const [index, hashes] of tiles.entries()) {
    const start = from + index * TILE_WIDTH;
    const texts = entries.slice(start - from, start - from + TILE_WIDTH);
    const report = judgeTile({
      from: start,
      entries: texts.map((entry) => ({ entry })),
      hashes: hashes ?? new Uint8Array(0),
      leavesWanted: isWanted(sizes, start, start + TILE_WIDTH),
    });
    reports.push(report);
    if (report.fault !== undefined) break;
  }
  return { reports, stop: undefined, rest: [] };
}

const nameVerifier = (key: VerifierKey): NoteVerifier => ({ name: key.name, ...createSm2Verifier(key.publicKey) });

function judgeNote({ note, key, witnesses }: NoteJob): NoteResult {
  const signed = verifyNote(note, nameVerifier(key)) !== undefined;
  const others = (parseNote(note)?.signatures ?? []).filter(
    ({ name, keyId }) => name !== key.name || !keyId.equals(key.keyId),
  );
  let [cosigned, miscosigned, unknown] = [0, 0, 0];
  for (const { name } of others) {
    const witness = witnesses.find((one) => one.name === name);
    if (witness === undefined) unknown += 1;
    else if (verifyCosignature(note, nameVerifier(witness)) !== undefined) cosigned += 1;
    else miscosigned += 1;
  }
  return { signed, cosigned, miscosigned, unknown };
}
