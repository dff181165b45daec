import { Fault } from '../../shared/fault.ts';
import type { Connection } from '../../storage/database.ts';
import { type LedgerEntry, parseEntry } from '../entry.ts';
import type { LedgerReader, StoredEntry } from '../reader.ts';
import { CSV_START, csvLine } from './csv.ts';
import { type EntryToExport, exportRange, exportRecords } from './export-lines.ts';
import { type Revealed, reveal } from './revealing.ts';
import type { OnProgress, Span } from './search.ts';
import type { SignedTree } from './signed-tree.ts';

/** All entries of a span, or chosen ones in ascending order. */
export type Selection =
  | { readonly kind: 'range'; readonly span: Span }
  | { readonly kind: 'records'; readonly numbers: readonly number[] };

export interface ExportSources {
  readonly reader: LedgerReader;
  readonly connection: Connection;
  readonly tree: SignedTree;
  readonly origin: string;
  /** The verifier key, as text. */
  readonly key: string;
}

export interface ExportWish {
  readonly selection: Selection;
  /** Whether personal values are exported with their openings. */
  readonly open: boolean;
  readonly onProgress?: OnProgress;
}

/** Entries read at once. */
const PAGE = 1024;
/** Chosen entries read with one statement when they lie this close together. */
const NEIGHBOURS_SPAN_MAX = 1024;
const NEIGHBOURS_MAX = 64;

/** The text of an export in JSON Lines with its proofs, piece by piece. Throws `Fault('ledger_mismatch')` when an entry is missing. */
export async function* exportWithProofs(sources: ExportSources, wish: ExportWish): AsyncGenerator<string> {
  const { tree, origin, key } = sources;
  const { selection } = wish;
  const common = { origin, key, size: tree.size, node: tree.node, entries: toExport(sources, wish) };
  if (selection.kind === 'range') {
    const { start: from, end: to } = selection.span;
    const notes = [...(await tree.notes(from, to)), ...(to < tree.size ? [tree.note] : [])];
    yield* exportRange({ ...common, from, to, notes });
    return;
  }
  const from = selection.numbers[0] ?? 0;
  const to = (selection.numbers.at(-1) ?? -1) + 1;
  yield* exportRecords({ ...common, from, to, note: tree.note });
}

const COLUMNS = ['seq', 'time', 'time_beijing', 'type', 'outcome', 'actor', 'subject', 'client', 'ip', 'ua'] as const;
const LAST_COLUMNS = ['correlation', 'node', 'data'] as const;
const BEIJING_MS = 8 * 3_600_000;

/** The entries as a table for a spreadsheet. It proves nothing: that is what the other format is for. */
export async function* exportTable(sources: ExportSources, wish: ExportWish): AsyncGenerator<string> {
  yield CSV_START + csvLine([...COLUMNS, ...LAST_COLUMNS]);
  for await (const stored of selected(sources.reader, wish)) {
    const entry = parseEntry(stored.entry);
    if (entry === undefined) throw new Fault('ledger_mismatch', `Entry ${stored.seq} of the ledger is not an entry.`);
    const revealed = wish.open ? await reveal({ stored, entry }, sources) : {};
    yield csvLine(cellsOf(stored.seq, entry, revealed));
  }
}

function cellsOf(
  seq: number,
  entry: LedgerEntry,
  revealed: Readonly<Record<string, Revealed>>,
): readonly (string | number)[] {
  const shown = (field: string, value: string | null): string => {
    const one = revealed[field];
    if (one === undefined) return value ?? '';
    return one.state === 'open' ? one.value : one.state;
  };
  const data = Object.fromEntries(
    Object.entries(entry.data).map(([name, value]) => [
      name,
      typeof value === 'string' ? shown(`data.${name}`, value) : value,
    ]),
  );
  const { ts, type, outcome, actor, subject, client, ip, ua, corr, node } = entry;
  const beijing = new Date(Date.parse(ts) + BEIJING_MS).toISOString().replace('T', ' ').replace('Z', '');
  const who = [seq, ts, beijing, type, outcome, actor, subject ?? '', client ?? '', shown('ip', ip), shown('ua', ua)];
  return [...who, corr ?? '', node, JSON.stringify(data)];
}

async function* toExport(sources: ExportSources, wish: ExportWish): AsyncGenerator<EntryToExport> {
  for await (const stored of selected(sources.reader, wish)) {
    const { seq, entry } = stored;
    const openings = wish.open ? await sources.reader.openings(stored) : new Map();
    yield openings.size === 0 ? { seq, entry } : { seq, entry, openings: Object.fromEntries(openings) };
  }
}

async function* selected(reader: LedgerReader, { selection, onProgress }: ExportWish): AsyncGenerator<StoredEntry> {
  const total = selection.kind === 'range' ? selection.span.end - selection.span.start : selection.numbers.length;
  let done = 0;
  for (const { wanted, from, count } of pagesOf(selection)) {
    const entries = (await reader.read(from, count)).filter(({ seq }) => wanted === undefined || wanted.has(seq));
    const expected = wanted?.size ?? count;
    if (entries.length !== expected) {
      throw new Fault('ledger_mismatch', `An entry from ${from} to ${from + count - 1} of the ledger is missing.`);
    }
    for (const entry of entries) {
      yield entry;
      done += 1;
      onProgress?.(done, total);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Page {
  readonly from: number;
  readonly count: number;
  /** Undefined: all of them. */
  readonly wanted?: ReadonlySet<number>;
}

function* pagesOf(selection: Selection): Generator<Page> {
  if (selection.kind === 'range') {
    const { start, end } = selection.span;
    for (let from = start; from < end; from += PAGE) yield { from, count: Math.min(PAGE, end - from) };
    return;
  }
  const { numbers } = selection;
  for (let at = 0; at < numbers.length; ) {
    const from = numbers[at]!;
    const wanted = new Set<number>();
    for (; at < numbers.length && wanted.size < NEIGHBOURS_MAX && numbers[at]! - from < NEIGHBOURS_SPAN_MAX; at += 1) {
      wanted.add(numbers[at]!);
    }
    yield { from, count: numbers[at - 1]! - from + 1, wanted };
  }
}
