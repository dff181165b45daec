import { sm3 } from '../../src/crypto/digests.ts';
import {
  type ExportEntry,
  type ExportHeader,
  endLine,
  entryLine,
  headerLine,
  parseHeader,
  parseLine,
} from '../../src/ledger/auditing/export-format.ts';
import { exportRange, exportRecords } from '../../src/ledger/auditing/export-lines.ts';
import { type BuiltLedger, ORIGIN } from './ledger-builder.ts';

/** An export taken apart into its lines, so that each of them can be tampered with. */
export interface ExportLines {
  readonly header: ExportHeader;
  /** All lines but the header and the last. */
  readonly lines: readonly string[];
}

async function gather(pieces: AsyncIterable<string>): Promise<ExportLines> {
  let text = '';
  for await (const piece of pieces) text += piece;
  const [first = '', ...rest] = text.split('\n');
  return { header: parseHeader(first)!, lines: rest.slice(0, -2) };
}

/** The export of entries `from` to `to` under the checkpoint of `size`, with all checkpoints in between. */
export const rangeOf = (ledger: BuiltLedger, from: number, to: number, size: number): Promise<ExportLines> =>
  gather(
    exportRange({
      origin: ORIGIN,
      key: ledger.keyText,
      from,
      to,
      size,
      node: ledger.node,
      entries: ledger.entries.slice(from, to),
      notes: ledger.notes
        .filter((one) => one.size === size || (one.size >= from && one.size <= to))
        .map(({ note }) => note),
    }),
  );

/** The export of single entries under the checkpoint of `size`. */
export const recordsOf = (ledger: BuiltLedger, seqs: readonly number[], size: number): Promise<ExportLines> =>
  gather(
    exportRecords({
      origin: ORIGIN,
      key: ledger.keyText,
      from: seqs[0]!,
      to: seqs.at(-1)! + 1,
      size,
      node: ledger.node,
      entries: seqs.map((seq) => ledger.entries[seq]!),
      note: ledger.notes.find((one) => one.size === size)!.note,
    }),
  );

/** The bytes of a file with these lines and a last line that fits them: what somebody writes who knows the format. */
export function fileOf({ header, lines }: ExportLines): Buffer {
  const count = lines.filter((line) => line.startsWith('{"seq":')).length;
  return closed(Buffer.from(`${[headerLine(header), ...lines].join('\n')}\n`), count);
}

/** Any bytes with a last line that fits them. */
export const closed = (body: Buffer, count: number): Buffer =>
  Buffer.concat([body, Buffer.from(`${endLine(count, sm3(body).toString('hex'))}\n`)]);

export function entryOf(line: string): ExportEntry {
  const parsed = parseLine(line);
  if (parsed?.kind !== 'entry') throw new Error('no entry line');
  const { seq, entry, openings, proof } = parsed;
  return { seq, entry, ...(openings === undefined ? {} : { openings }), ...(proof === undefined ? {} : { proof }) };
}

/** The line of the same entry with something changed. */
export const changed = (line: string, change: Partial<ExportEntry>): string =>
  entryLine({ ...entryOf(line), ...change });
