/** One line of a table as it stands in the file; `line` counts from 1, as spreadsheets do. */
export interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

export type CsvRefusal = 'encoding' | 'too_large' | 'too_many_rows' | 'quotes' | 'line_break';

export type CsvOutcome =
  | { readonly ok: true; readonly records: readonly CsvRecord[] }
  | { readonly ok: false; readonly reason: CsvRefusal; readonly line: number };

export interface CsvLimits {
  readonly bytesMax: number;
  readonly recordsMax: number;
}

/**
 * Reads a table strictly (RFC 4180): what is not clear is refused with its line, never repaired. UTF-8, with or without the mark that
 * spreadsheets write, or GB 18030, in which Chinese spreadsheets save. Empty lines are passed over.
 */
export function readCsv(content: Uint8Array, { bytesMax, recordsMax }: CsvLimits): CsvOutcome {
  if (content.length > bytesMax) return { ok: false, reason: 'too_large', line: 0 };
  const text = textOf(content);
  if (text === undefined) return { ok: false, reason: 'encoding', line: 0 };
  const records: CsvRecord[] = [];
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const record = readRecord(text, at);
    if (typeof record === 'string') return { ok: false, reason: record, line };
    if (record.cells.some((cell) => cell !== '')) records.push({ line, cells: record.cells });
    if (records.length > recordsMax) return { ok: false, reason: 'too_many_rows', line };
    at = record.next;
    line += record.lines;
  }
  return { ok: true, records };
}

function textOf(content: Uint8Array): string | undefined {
  for (const encoding of ['utf-8', 'gb18030']) {
    try {
      // The mark at the beginning is dropped by the decoder.
      return new TextDecoder(encoding, { fatal: true }).decode(content);
    } catch {
      // The next one is tried.
    }
  }
  return undefined;
}

interface ReadRecord {
  readonly cells: readonly string[];
  readonly next: number;
  readonly lines: number;
}

function readRecord(text: string, from: number): ReadRecord | CsvRefusal {
  const cells: string[] = [];
  let at = from;
  let lines = 1;
  for (;;) {
    const cell = text[at] === '"' ? readQuoted(text, at + 1) : readPlain(text, at);
    if (typeof cell === 'string') return cell;
    cells.push(cell.value);
    lines += cell.lines;
    at = cell.next;
    const end = text[at];
    if (end === ',') {
      at += 1;
      continue;
    }
    if (end === undefined) return { cells, next: at, lines };
    if (end === '\n') return { cells, next: at + 1, lines };
    if (end === '\r' && text[at + 1] === '\n') return { cells, next: at + 2, lines };
    return end === '\r' ? 'line_break' : 'quotes';
  }
}

interface ReadCell {
  readonly value: string;
  readonly next: number;
  readonly lines: number;
}

const PLAIN = /[^,\r\n"]*/y;

function readPlain(text: string, from: number): ReadCell | CsvRefusal {
  PLAIN.lastIndex = from;
  const value = PLAIN.exec(text)?.[0] ?? '';
  const next = from + value.length;
  return text[next] === '"' ? 'quotes' : { value: value.trim(), next, lines: 0 };
}

function readQuoted(text: string, from: number): ReadCell | CsvRefusal {
  let value = '';
  let at = from;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote === -1) return 'quotes';
    value += text.slice(at, quote);
    if (text[quote + 1] !== '"') return { value: value.trim(), next: quote + 1, lines: value.split('\n').length - 1 };
    value += '"';
    at = quote + 2;
  }
}
