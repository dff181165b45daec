import type { ExportOpening } from '../auditing/export-format.ts';
import { commitment, type LedgerEntry, parseEntry } from '../entry.ts';
import { HASH_BYTES, leafHash, rootOver } from '../tree/merkle.ts';
import { TILE_WIDTH } from '../tree/tiles.ts';

/** Something wrong with one entry: its number and why. */
export interface EntryFault {
  readonly seq: number;
  readonly reason: string;
}

export interface JudgedEntry {
  readonly entry: string;
  readonly openings?: Readonly<Record<string, ExportOpening>> | undefined;
}

/** Entries without gaps from number `from` on, all of one tile, and the hashes that were published or stored for them. */
export interface TileCase {
  readonly from: number;
  readonly entries: readonly JudgedEntry[];
  /** Of the leaves from `from` on; may be longer than the entries are many. Undefined where there are none to compare with. */
  readonly hashes: Uint8Array | undefined;
  /** Whether whoever joins the tiles needs every leaf, because a checkpoint ends inside this tile. */
  readonly leavesWanted: boolean;
}

/** An entry that says something about the ledger itself. */
export interface TellingEntry {
  readonly seq: number;
  readonly type: string;
  readonly entry: LedgerEntry;
}

/** What a tile says to whoever joins the tiles. A plain value, handed from one thread to another. */
export interface TileReport {
  readonly from: number;
  readonly count: number;
  /** The node over the whole tile, when it is complete. */
  readonly root: Uint8Array | undefined;
  /** The hashes of the leaves, when they are wanted or the tile is not complete. */
  readonly leaves: Uint8Array | undefined;
  /** When each entry is dated; NaN where that cannot be read. */
  readonly times: Float64Array;
  readonly nodes: readonly string[];
  /** Which of `nodes` each entry names; undefined when there is only one. */
  readonly nodeOf: Uint8Array | undefined;
  readonly telling: readonly TellingEntry[];
  readonly openingCount: number;
  /** The first that is wrong. */
  readonly fault: EntryFault | undefined;
}

const DAY_CHARS = '2026-01-01'.length;
const ZERO = 0x30;
const FIRST_MS = Date.parse('0001-01-01T00:00:00.000Z');
const TELLING = new Set(['clock.step', 'audit.prune']);
/** A surrogate that stands alone has no form in UTF-8; JSON writes it as an escape of its own. */
const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;

let lastDay = '';
let lastDayMs: number | undefined;

/** When an entry is dated, in milliseconds; undefined for a date the calendar does not have. `ts` has the form of an entry's. */
export function timeOf(ts: string): number | undefined {
  const day = ts.slice(0, DAY_CHARS);
  // Entries come in the order of their dates, so a day is looked up once.
  if (day !== lastDay) {
    lastDay = day;
    const midnight = `${day}T00:00:00.000Z`;
    const ms = Date.parse(midnight);
    // Year 0 is not a year everywhere.
    lastDayMs = ms >= FIRST_MS && new Date(ms).toISOString() === midnight ? ms : undefined;
  }
  const [hours, minutes, seconds, ms] = [
    number(ts, 11, 13),
    number(ts, 14, 16),
    number(ts, 17, 19),
    number(ts, 20, 23),
  ];
  if (lastDayMs === undefined || hours > 23 || minutes > 59 || seconds > 59) return undefined;
  return lastDayMs + ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
}

/** The number its digits write. */
function number(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) value = value * 10 + text.charCodeAt(at) - ZERO;
  return value;
}

/** An entry that is canonical, within the schema and dated; else why not. */
export function readEntry(text: string): { readonly entry: LedgerEntry; readonly ms: number } | string {
  const entry = parseEntry(text);
  if (entry === undefined) return 'The entry is not canonical or not within the schema.';
  if (text.includes('\\ud') && LONE_SURROGATE.test(text)) return 'The entry holds text that is not Unicode.';
  const ms = timeOf(entry.ts);
  return ms === undefined ? 'The entry is dated on a day that does not exist.' : { entry, ms };
}

/** Why an opening does not belong to the entry; undefined when all of them do. */
export function openingFault(
  entry: LedgerEntry,
  openings: Readonly<Record<string, ExportOpening>>,
): string | undefined {
  for (const [field, { salt, value }] of Object.entries(openings)) {
    const committed = field === 'ip' || field === 'ua' ? entry[field] : dataMember(entry, field);
    if (!value.isWellFormed() || commitment(field, Buffer.from(salt, 'base64'), value) !== committed) {
      return `The opening of ${field} does not match its commitment.`;
    }
  }
  return undefined;
}

function dataMember({ data }: LedgerEntry, field: string): unknown {
  const name = field.startsWith('data.') ? field.slice('data.'.length) : undefined;
  return name !== undefined && Object.hasOwn(data, name) ? data[name] : undefined;
}

/** Hashes the entries of one tile and checks everything that needs no other tile. Pure; the first fault wins. */
export function judgeTile({ from, entries, hashes, leavesWanted }: TileCase): TileReport {
  const count = entries.length;
  const leaves = Buffer.allocUnsafeSlow(count * HASH_BYTES);
  const times = new Float64Array(count);
  const telling: TellingEntry[] = [];
  const nodes: string[] = [];
  const nodeOf = new Uint8Array(count);
  let openingCount = 0;
  let fault: EntryFault | undefined;
  for (let index = 0; index < count; index += 1) {
    const seq = from + index;
    const { entry: text, openings } = entries[index]!;
    leafHash(seq, text).copy(leaves, index * HASH_BYTES);
    const read = readEntry(text);
    times[index] = typeof read === 'string' ? Number.NaN : read.ms;
    if (typeof read === 'string') {
      fault ??= { seq, reason: read };
      continue;
    }
    const { entry } = read;
    nodeOf[index] = placeOf(nodes, entry.node);
    if (TELLING.has(entry.type)) telling.push({ seq, type: entry.type, entry });
    if (openings === undefined) continue;
    openingCount += Object.keys(openings).length;
    const reason = openingFault(entry, openings);
    if (reason !== undefined) fault ??= { seq, reason };
  }
  const other = hashes === undefined ? undefined : firstDifference(leaves, hashes);
  if (other !== undefined && (fault === undefined || from + other <= fault.seq)) {
    fault = { seq: from + other, reason: 'The entry does not have the hash that stands for it in its tile.' };
  }
  const complete = count === TILE_WIDTH && from % TILE_WIDTH === 0;
  return {
    from,
    count,
    root: complete ? rootOver(leaves) : undefined,
    leaves: leavesWanted || !complete ? leaves : undefined,
    times,
    nodes,
    nodeOf: nodes.length > 1 ? nodeOf : undefined,
    telling,
    openingCount,
    fault,
  };
}

/** The first leaf whose hash is another one, or missing, in `hashes`. */
function firstDifference(leaves: Buffer, hashes: Uint8Array): number | undefined {
  if (leaves.equals(hashes.subarray(0, leaves.length))) return undefined;
  for (let at = 0; at < leaves.length; at += HASH_BYTES) {
    if (!leaves.subarray(at, at + HASH_BYTES).equals(hashes.subarray(at, at + HASH_BYTES))) return at / HASH_BYTES;
  }
  return undefined;
}

function placeOf(nodes: string[], node: string): number {
  // Nearly always the first: entries of one tile come from few nodes.
  if (nodes[0] === node) return 0;
  const place = nodes.indexOf(node);
  return place >= 0 ? place : nodes.push(node) - 1;
}
