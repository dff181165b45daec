import { createHash } from 'node:crypto';
import { completion } from '../tree/compact-range.ts';
import { HASH_BYTES, inclusionProof, leafHash, type NodeReader } from '../tree/merkle.ts';
import { TILE_WIDTH } from '../tree/tiles.ts';
import { fullSubtrees } from '../tree/tree-shape.ts';
import {
  checkpointLine,
  type ExportHeader,
  type ExportOpening,
  endLine,
  entryLine,
  hashesLine,
  headerLine,
  tileLine,
} from './export-format.ts';

/** An entry to be exported, opened as far as whoever asks may see it. */
export interface EntryToExport {
  readonly seq: number;
  readonly entry: string;
  readonly openings?: Readonly<Record<string, ExportOpening>>;
}

interface ExportCase extends Omit<ExportHeader, 'kind'> {
  /** Nodes of the signed tree, for what lies outside the entries and for proofs. */
  readonly node: NodeReader;
  /** In the order of their numbers. */
  readonly entries: AsyncIterable<EntryToExport> | Iterable<EntryToExport>;
}

export interface RangeToExport extends ExportCase {
  /** Signed notes by ascending size, each from `from` to `to`, the last of size `size`. */
  readonly notes: readonly string[];
}

export interface RecordsToExport extends ExportCase {
  /** The note of size `size`. */
  readonly note: string;
}

/** The lines of a file, each with its end, and the digest that closes it. */
class Closing {
  readonly #hash = createHash('sm3');

  line(text: string): string {
    const line = `${text}\n`;
    this.#hash.update(line);
    return line;
  }

  end(count: number): string {
    return `${endLine(count, this.#hash.digest('hex'))}\n`;
  }
}

/**
 * The file of all entries from `from` to `to` (exclusive), piece by piece. The caller hands in every entry of the range; hashes
 * of tiles are made from the entries, so that what the file says about itself is what it holds.
 */
export async function* exportRange(range: RangeToExport): AsyncGenerator<string> {
  const { origin, key, from, to, size, node } = range;
  const closing = new Closing();
  yield closing.line(headerLine({ kind: 'range', origin, key, from, to, size }));
  for (const note of range.notes) yield closing.line(checkpointLine(note));
  if (from > 0) yield closing.line(hashesLine('left', await nodesOf(fullSubtrees({ start: 0, end: from }), node)));
  const tile = Buffer.alloc(TILE_WIDTH * HASH_BYTES);
  let [count, width] = [0, 0];
  for await (const entry of range.entries) {
    yield closing.line(entryLine(entry));
    leafHash(entry.seq, entry.entry).copy(tile, width * HASH_BYTES);
    count += 1;
    width += 1;
    const next = entry.seq + 1;
    if (next % TILE_WIDTH !== 0 && next !== to) continue;
    yield closing.line(tileLine(Math.floor(entry.seq / TILE_WIDTH), tile.subarray(0, width * HASH_BYTES)));
    width = 0;
  }
  if (to < size) yield closing.line(hashesLine('right', await nodesOf(completion(to, size), node)));
  yield closing.end(count);
}

/** The file of selected entries, each with the proof that it stands in the signed tree. `from` and `to` frame their numbers. */
export async function* exportRecords(records: RecordsToExport): AsyncGenerator<string> {
  const { origin, key, from, to, size, node, note } = records;
  const closing = new Closing();
  yield closing.line(headerLine({ kind: 'records', origin, key, from, to, size }));
  yield closing.line(checkpointLine(note));
  let count = 0;
  for await (const entry of records.entries) {
    const proof = (await inclusionProof(entry.seq, size, node)).map((hash) => hash.toString('base64'));
    yield closing.line(entryLine({ ...entry, proof }));
    count += 1;
  }
  yield closing.end(count);
}

const nodesOf = (
  nodes: readonly { readonly height: number; readonly position: number }[],
  node: NodeReader,
): Promise<readonly Uint8Array[]> => Promise.all(nodes.map(({ height, position }) => node(height, position)));
