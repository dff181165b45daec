import { canonicalBase64 } from '../checkpoints/checkpoint.ts';
import { HASH_BYTES } from '../tree/merkle.ts';

/**
 * The lines of an exported ledger: JSON Lines in UTF-8, described for others in docs/audit-verify/FORMAT.md. Each line has
 * exactly one form (members in the order given here, no blanks, strings escaped as RFC 8785 does), so that a line that can be
 * read back to the same bytes is the only one that is accepted.
 */
export const EXPORT_FORMAT = 'tongban/ledger-export@v1';

/** A range of entries without gaps, or a selection in which each entry carries its own inclusion proof. */
export type ExportKind = 'range' | 'records';

/** The first line. `to` is exclusive; `size` is that of the newest checkpoint in the file. `key` is a verifier key. */
export interface ExportHeader {
  readonly kind: ExportKind;
  readonly origin: string;
  readonly key: string;
  readonly from: number;
  readonly to: number;
  readonly size: number;
}

/** What opens one commitment: the salt in base64 and the value. */
export interface ExportOpening {
  readonly salt: string;
  readonly value: string;
}

export interface ExportEntry {
  readonly seq: number;
  readonly entry: string;
  /** By field, in the order of the names. */
  readonly openings?: Readonly<Record<string, ExportOpening>>;
  /** Sibling hashes leaf to root; in a selection only. */
  readonly proof?: readonly string[];
}

export type ExportLine =
  | ({ readonly kind: 'entry' } & ExportEntry)
  | { readonly kind: 'tile'; readonly position: number; readonly hashes: Buffer }
  | { readonly kind: 'left' | 'right'; readonly hashes: readonly Buffer[] }
  | { readonly kind: 'checkpoint'; readonly note: string }
  | { readonly kind: 'end'; readonly count: number; readonly sm3: string };

const LINE_LENGTH_MAX = 262_144;
const PROOF_LENGTH_MAX = 64;
const ORIGIN = /^[!-*,-~]{1,128}$/;
const KEY = /^[\x21-\x7e]{1,400}$/;
const SEQ_AT = '{"seq":'.length;
const ENTRY_MEMBER = ',"entry":';
const DIGITS = /^(?:0|[1-9]\d{0,14})$/;
const PLAIN_QUOTED = /^"(?:[ !#-[\]-\ud7ff\ue000-\uffff]|\\["\\])*"$/;
const SM3_HEX = /^[0-9a-f]{64}$/;

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

export const headerLine = ({ kind, origin, key, from, to, size }: ExportHeader): string =>
  JSON.stringify({ format: EXPORT_FORMAT, kind, origin, key, from, to, size });

export const checkpointLine = (note: string): string => JSON.stringify({ checkpoint: note });

/** The compact range before the first entry, or the nodes that complete the tree after the last; largest first, smallest last, and back. */
export const hashesLine = (side: 'left' | 'right', hashes: readonly Uint8Array[]): string =>
  JSON.stringify({ [side]: hashes.map(base64) });

export const tileLine = (position: number, hashes: Uint8Array): string =>
  JSON.stringify({ tile: position, hashes: base64(hashes) });

export const endLine = (count: number, sm3: string): string => JSON.stringify({ end: { count, sm3 } });

/** The line of one entry; openings are put into the order of their names. */
export function entryLine({ seq, entry, openings, proof }: ExportEntry): string {
  let line = `{"seq":${seq},"entry":${JSON.stringify(entry)}`;
  if (openings !== undefined) {
    const fields = Object.keys(openings).sort();
    const members = fields.map((field) => {
      const { salt, value } = openings[field]!;
      return `${JSON.stringify(field)}:${JSON.stringify({ salt, value })}`;
    });
    line += `,"openings":{${members.join(',')}}`;
  }
  if (proof !== undefined) line += `,"proof":${JSON.stringify(proof)}`;
  return `${line}}`;
}

/** The header behind a first line; undefined unless it is exactly one. */
export function parseHeader(line: string): ExportHeader | undefined {
  const value = parseObject(line);
  if (value === undefined) return undefined;
  const { kind, origin, key, from, to, size } = value;
  const wellFormed =
    value.format === EXPORT_FORMAT &&
    (kind === 'range' || kind === 'records') &&
    typeof origin === 'string' &&
    ORIGIN.test(origin) &&
    typeof key === 'string' &&
    KEY.test(key) &&
    isCount(from) &&
    isCount(to) &&
    isCount(size) &&
    from <= to &&
    to <= size;
  if (!wellFormed) return undefined;
  const header: ExportHeader = { kind, origin, key, from, to, size };
  return headerLine(header) === line ? header : undefined;
}

/** What a line after the first says; undefined unless it is exactly of one of the known kinds. */
export function parseLine(line: string): ExportLine | undefined {
  const plain = parsePlainEntry(line);
  if (plain !== undefined) return plain;
  const value = parseObject(line);
  if (value === undefined) return undefined;
  const [first] = Object.keys(value);
  switch (first) {
    case 'seq':
      return parseEntryLine(value, line);
    case 'tile':
      return parseTileLine(value, line);
    case 'checkpoint':
      return typeof value.checkpoint === 'string' && checkpointLine(value.checkpoint) === line
        ? { kind: 'checkpoint', note: value.checkpoint }
        : undefined;
    case 'left':
    case 'right':
      return parseHashesLine(first, value[first], line);
    case 'end':
      return parseEndLine(value.end, line);
    default:
      return undefined;
  }
}

/**
 * The short way for nearly all lines: an entry alone. Its text is JSON without control characters, so its quotation escapes
 * nothing but quotes and backslashes; every other line goes the long way.
 */
function parsePlainEntry(line: string): ExportLine | undefined {
  if (!line.startsWith('{"seq":') || !line.endsWith('"}') || line.length > LINE_LENGTH_MAX) return undefined;
  const comma = line.indexOf(',');
  const [digits, quoted] = [line.slice(SEQ_AT, comma), line.slice(comma + ENTRY_MEMBER.length, -1)];
  if (!DIGITS.test(digits) || !line.startsWith(ENTRY_MEMBER, comma) || !PLAIN_QUOTED.test(quoted)) return undefined;
  return { kind: 'entry', seq: Number(digits), entry: JSON.parse(quoted) as string };
}

function parseObject(line: string): Record<string, unknown> | undefined {
  if (line.length > LINE_LENGTH_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function parseEntryLine(value: Record<string, unknown>, line: string): ExportLine | undefined {
  const { seq, entry, openings, proof } = value;
  if (!isCount(seq) || typeof entry !== 'string') return undefined;
  if (openings !== undefined && !isOpenings(openings)) return undefined;
  if (proof !== undefined && !isProof(proof)) return undefined;
  const parsed: ExportEntry = {
    seq,
    entry,
    ...(openings === undefined ? {} : { openings }),
    ...(proof === undefined ? {} : { proof }),
  };
  return entryLine(parsed) === line ? { kind: 'entry', ...parsed } : undefined;
}

function isOpenings(value: unknown): value is Record<string, ExportOpening> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const all: readonly unknown[] = Object.values(value);
  return (
    all.length > 0 &&
    all.every((opening) => {
      if (typeof opening !== 'object' || opening === null) return false;
      const { salt, value: text } = opening as Record<string, unknown>;
      return typeof salt === 'string' && typeof text === 'string' && hashBytes(salt) !== undefined;
    })
  );
}

const isProof = (value: unknown): value is readonly string[] =>
  Array.isArray(value) &&
  value.length <= PROOF_LENGTH_MAX &&
  value.every((item) => typeof item === 'string' && hashBytes(item) !== undefined);

/** The 32 bytes behind a text, which is the one base64 form of them; else undefined. */
export function hashBytes(text: string): Buffer | undefined {
  const bytes = canonicalBase64(text);
  return bytes?.length === HASH_BYTES ? bytes : undefined;
}

function parseTileLine(value: Record<string, unknown>, line: string): ExportLine | undefined {
  const { tile, hashes } = value;
  if (!isCount(tile) || typeof hashes !== 'string') return undefined;
  const bytes = Buffer.from(hashes, 'base64');
  const whole = bytes.length > 0 && bytes.length % HASH_BYTES === 0;
  return whole && tileLine(tile, bytes) === line ? { kind: 'tile', position: tile, hashes: bytes } : undefined;
}

function parseHashesLine(side: 'left' | 'right', value: unknown, line: string): ExportLine | undefined {
  if (!Array.isArray(value) || value.length > 2 * PROOF_LENGTH_MAX) return undefined;
  const hashes = value.map((item) => (typeof item === 'string' ? hashBytes(item) : undefined));
  if (!hashes.every((hash) => hash !== undefined)) return undefined;
  return hashesLine(side, hashes) === line ? { kind: side, hashes } : undefined;
}

function parseEndLine(value: unknown, line: string): ExportLine | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { count, sm3 } = value as Record<string, unknown>;
  if (!isCount(count) || typeof sm3 !== 'string' || !SM3_HEX.test(sm3)) return undefined;
  return endLine(count, sm3) === line ? { kind: 'end', count, sm3 } : undefined;
}
