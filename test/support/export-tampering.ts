import { hashesLine, parseLine, tileLine } from '../../src/ledger/auditing/export-format.ts';
import { leafHash } from '../../src/ledger/tree/merkle.ts';
import { changed, closed, type ExportLines, entryOf, fileOf } from './ledger-exports.ts';
import type { SeededRandom } from './seeded-random.ts';
import { flipBit, flipNote, otherText } from './tampering.ts';

/** An altered file and what a verifier has to find. */
export interface TamperedExport {
  readonly kind: string;
  readonly bytes: Buffer;
  /** The first entry that is not the original; undefined where no entry was touched. */
  readonly seq?: number | undefined;
  /** The size of the checkpoint that has to be named. */
  readonly checkpoint?: number | undefined;
  /** Hashes were altered together with the entry: only where it must lie can be told. */
  readonly within?: number | undefined;
}

type Tampering = (original: ExportLines, random: SeededRandom) => Omit<TamperedExport, 'kind'> | undefined;

const isEntry = (line: string): boolean => line.startsWith('{"seq":');
const places = (lines: readonly string[], prefix: string): readonly number[] =>
  lines.flatMap((line, place) => (line.startsWith(prefix) ? [place] : []));
const entryPlaces = (lines: readonly string[]): readonly number[] => places(lines, '{"seq":');
const replaced = (lines: readonly string[], place: number, ...by: readonly string[]): readonly string[] =>
  lines.toSpliced(place, 1, ...by);

/** A character of the entry itself, with a file that fits in every other way. */
const editEntry: Tampering = ({ header, lines }, random) => {
  const place = random.pick(entryPlaces(lines));
  const { seq, entry } = entryOf(lines[place]!);
  const edited = changed(lines[place]!, { entry: otherText(entry, random) });
  return { bytes: fileOf({ header, lines: replaced(lines, place, edited) }), seq };
};

/** One bit of the line, whatever it stands for: number, quotation, opening, line end. */
const flipInLine: Tampering = ({ header, lines }, random) => {
  const place = random.pick(entryPlaces(lines));
  const { seq } = entryOf(lines[place]!);
  const file = fileOf({ header, lines });
  const before = fileOf({ header, lines: lines.slice(0, place) });
  const start = before.lastIndexOf('{"end":');
  const length = Buffer.byteLength(lines[place]!) + 1;
  const body = flipBit(file.subarray(0, file.lastIndexOf('{"end":')), start + random.below(length), random);
  return { bytes: closed(body, entryPlaces(lines).length), seq };
};

const deleteEntry: Tampering = ({ header, lines }, random) => {
  const place = random.pick(entryPlaces(lines));
  return { bytes: fileOf({ header, lines: replaced(lines, place) }), seq: entryOf(lines[place]!).seq };
};

/** An entry is taken out and all later ones move up. */
const deleteAndRenumber: Tampering = ({ header, lines }, random) => {
  const place = random.pick(entryPlaces(lines));
  const { seq } = entryOf(lines[place]!);
  const moved = lines.map((line, at) =>
    at > place && isEntry(line) ? changed(line, { seq: entryOf(line).seq - 1 }) : line,
  );
  return { bytes: fileOf({ header: { ...header, to: header.to - 1 }, lines: replaced(moved, place) }), seq };
};

const insertEntry: Tampering = ({ header, lines }, random) => {
  const place = random.pick(entryPlaces(lines));
  const { seq } = entryOf(lines[place]!);
  const foreign = changed(lines[random.pick(entryPlaces(lines))]!, { seq });
  if (foreign === lines[place]) return undefined;
  return { bytes: fileOf({ header, lines: replaced(lines, place, foreign, lines[place]!) }), seq };
};

const duplicateEntry: Tampering = ({ header, lines }, random) => {
  const place = random.pick(entryPlaces(lines));
  const line = lines[place]!;
  return { bytes: fileOf({ header, lines: replaced(lines, place, line, line) }), seq: entryOf(line).seq + 1 };
};

/** Two entries change places, with their numbers or without. */
const swapEntries: Tampering = ({ header, lines }, random) => {
  const all = entryPlaces(lines);
  const [one, two] = [random.pick(all), random.pick(all)].sort((left, right) => left - right) as [number, number];
  if (one === two) return undefined;
  const [first, second] = [entryOf(lines[one]!), entryOf(lines[two]!)];
  const keepsNumbers = random.below(2) === 0;
  const atFirst = keepsNumbers ? changed(lines[two]!, { seq: first.seq }) : lines[two]!;
  const atSecond = keepsNumbers ? changed(lines[one]!, { seq: second.seq }) : lines[one]!;
  return { bytes: fileOf({ header, lines: replaced(replaced(lines, one, atFirst), two, atSecond) }), seq: first.seq };
};

/** The tail is missing: cut off anywhere, left out, or left out with a header that agrees. */
const truncate: Tampering = ({ header, lines }, random) => {
  const place = random.pick(entryPlaces(lines));
  const { seq } = entryOf(lines[place]!);
  const kept = lines.slice(0, place);
  const way = random.below(3);
  if (way === 0) return { bytes: fileOf({ header, lines: kept }), seq };
  const whole = fileOf({ header, lines });
  const start = fileOf({ header, lines: kept }).lastIndexOf('{"end":');
  if (way === 1) return { bytes: whole.subarray(0, start + random.below(Buffer.byteLength(lines[place]!))), seq };
  const since = kept.findLastIndex((line) => line.startsWith('{"tile":')) + 1;
  const open = kept.slice(since).filter(isEntry).map(entryOf);
  const hashes = open.map((entry) => leafHash(entry.seq, entry.entry));
  const fits = open.length === 0 ? kept : [...kept, tileLine(Math.floor((seq - 1) / 256), Buffer.concat(hashes))];
  // The checkpoints behind the new end are left out as well, but for the last, whose size the header names.
  const sizes = fits.filter((line) => !isBeyond(line, seq, header.size));
  return { bytes: fileOf({ header: { ...header, to: seq }, lines: sizes }), seq };
};

function isBeyond(line: string, to: number, size: number): boolean {
  const parsed = line.startsWith('{"checkpoint":') ? parseLine(line) : undefined;
  if (parsed?.kind !== 'checkpoint') return false;
  const stated = Number(parsed.note.split('\n')[1]);
  return stated > to && stated !== size;
}

const editTileHash: Tampering = ({ header, lines }, random) => {
  const place = random.pick(places(lines, '{"tile":'));
  const line = parseLine(lines[place]!);
  if (line?.kind !== 'tile') return undefined;
  const at = random.below(line.hashes.length);
  const edited = tileLine(line.position, flipBit(line.hashes, at, random));
  const seq = Math.max(line.position * 256, header.from) + Math.floor(at / 32);
  return { bytes: fileOf({ header, lines: replaced(lines, place, edited) }), seq };
};

/** Entry and hash altered together: the next signed root is what finds it. */
const editWithHash: Tampering = ({ header, lines }, random) => {
  const place = random.pick(entryPlaces(lines));
  const { seq, entry } = entryOf(lines[place]!);
  // A value that keeps the entry canonical: only the hashes are left to tell.
  const forged = entry.replace(/"corr":"[^"]*"/, `"corr":"forged${random.below(1000)}"`);
  const tilePlace = lines.findIndex((line, at) => at > place && line.startsWith('{"tile":'));
  const tile = parseLine(lines[tilePlace]!);
  if (tile?.kind !== 'tile') return undefined;
  const hashes = Buffer.from(tile.hashes);
  leafHash(seq, forged).copy(hashes, (seq - Math.max(tile.position * 256, header.from)) * 32);
  const edited = changed(lines[place]!, { entry: forged });
  const both = replaced(replaced(lines, place, edited), tilePlace, tileLine(tile.position, hashes));
  return { bytes: fileOf({ header, lines: both }), within: seq };
};

const editCheckpoint: Tampering = ({ header, lines }, random) => {
  const place = random.pick(places(lines, '{"checkpoint":'));
  const line = parseLine(lines[place]!);
  if (line?.kind !== 'checkpoint') return undefined;
  const { note, size } = flipNote(line.note, random);
  return {
    bytes: fileOf({ header, lines: replaced(lines, place, JSON.stringify({ checkpoint: note })) }),
    checkpoint: size,
  };
};

const editOpening: Tampering = ({ header, lines }, random) => {
  const opened = places(lines, '{"seq":').filter((place) => entryOf(lines[place]!).openings !== undefined);
  if (opened.length === 0) return undefined;
  const place = random.pick(opened);
  const { seq, openings = {} } = entryOf(lines[place]!);
  const field = random.pick(Object.keys(openings));
  const { salt, value } = openings[field]!;
  const saltBytes = Buffer.from(salt, 'base64');
  const edited =
    random.below(2) === 0
      ? { salt: flipBit(saltBytes, random.below(saltBytes.length), random).toString('base64'), value }
      : { salt, value: `${value}${random.below(10)}` };
  const line = changed(lines[place]!, { openings: { ...openings, [field]: edited } });
  return { bytes: fileOf({ header, lines: replaced(lines, place, line) }), seq };
};

/** Hashes before the first or behind the last entry. */
const editEdge: Tampering = ({ header, lines }, random) => {
  const edges = [...places(lines, '{"left":'), ...places(lines, '{"right":')];
  if (edges.length === 0) return undefined;
  const place = random.pick(edges);
  const line = parseLine(lines[place]!);
  if (line?.kind !== 'left' && line?.kind !== 'right') return undefined;
  const at = random.below(line.hashes.length);
  const hashes = line.hashes.map((hash, index) => (index === at ? flipBit(hash, random.below(32), random) : hash));
  return { bytes: fileOf({ header, lines: replaced(lines, place, hashesLine(line.kind, hashes)) }) };
};

const editHeader: Tampering = ({ header, lines }, random) => {
  const step = 1 + random.below(3);
  const altered = random.pick([
    { ...header, from: header.from + step },
    { ...header, to: header.to + step },
    { ...header, size: header.size + step },
    { ...header, origin: `${header.origin}x` },
    { ...header, kind: header.kind === 'range' ? ('records' as const) : ('range' as const) },
  ]);
  return { bytes: fileOf({ header: altered, lines }) };
};

/** Any bit of the file, and nothing is made to fit. */
const flipAnywhere: Tampering = ({ header, lines }, random) => {
  const file = fileOf({ header, lines });
  return { bytes: flipBit(file, random.below(file.length), random) };
};

const editProof: Tampering = ({ header, lines }, random) => {
  const place = random.pick(entryPlaces(lines));
  const { seq, proof = [] } = entryOf(lines[place]!);
  const at = random.below(proof.length);
  const hash = flipBit(Buffer.from(proof[at]!, 'base64'), random.below(32), random).toString('base64');
  return {
    bytes: fileOf({ header, lines: replaced(lines, place, changed(lines[place]!, { proof: proof.with(at, hash) })) }),
    seq,
  };
};

/** Everything that can be done to the export of a range without the key. */
export const RANGE_TAMPERINGS: Readonly<Record<string, Tampering>> = {
  'entry edited': editEntry,
  'bit of an entry line': flipInLine,
  'entry deleted': deleteEntry,
  'entry deleted, others renumbered': deleteAndRenumber,
  'entry inserted': insertEntry,
  'entry duplicated': duplicateEntry,
  'entries swapped': swapEntries,
  'tail truncated': truncate,
  'tile hash edited': editTileHash,
  'entry edited with its hash': editWithHash,
  'checkpoint edited': editCheckpoint,
  'opening edited': editOpening,
  'edge hash edited': editEdge,
  'header edited': editHeader,
  'any bit of the file': flipAnywhere,
};

/** And to a selection of entries. */
export const RECORDS_TAMPERINGS: Readonly<Record<string, Tampering>> = {
  'record edited': editEntry,
  'record proof edited': editProof,
  'record opening edited': editOpening,
  'record checkpoint edited': editCheckpoint,
};

/** One tampering; undefined when chance made it none. */
export function tamper(
  kind: string,
  how: Tampering,
  original: ExportLines,
  random: SeededRandom,
): TamperedExport | undefined {
  const tampered = how(original, random);
  return tampered === undefined || tampered.bytes.equals(fileOf(original)) ? undefined : { kind, ...tampered };
}
