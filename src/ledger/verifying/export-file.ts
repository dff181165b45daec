import { isUtf8 } from 'node:buffer';
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { TILE_WIDTH } from '../tree/tiles.ts';
import { isSize } from '../tree/tree-shape.ts';

const BLOCK_BYTES = 2 * 1024 * 1024;
/** More than 256 entries of the longest kind: without the hashes of a tile in so much, something is wrong anyway. */
const CHUNK_BYTES_MAX = 48 * 1024 * 1024;
const LAST_LINE_BYTES_MAX = 4096;
const PREAMBLE_LINES_MAX = 100_000;
/** They are held in memory, unlike the entries: a hundred thousand notes with the lines of some witnesses. */
const PREAMBLE_CHARS_MAX = 64 * 1024 * 1024;
const LINE_END = 0x0a;
const TILE_LINE = '\n{"tile":';
const PREAMBLE_LINE = /^\{"(?:checkpoint|left)":/;
const BODY_LINE = /^\{"(?:seq|tile|right|end)":/;

/** Whole lines of an exported range that end with the hashes of a tile, and the number their first entry should have. */
export interface ExportChunk {
  readonly bytes: Uint8Array;
  /** Undefined for the first: the header tells. */
  readonly from: number | undefined;
}

/**
 * An exported ledger on disk. Reads what comes before the entries and the last line at once, and the entries in pieces that
 * can be judged independently.
 */
export class ExportFile {
  readonly bytesTotal: number;
  /** Lines before the first entry: header, checkpoints, compact range. */
  readonly preamble: readonly string[];
  /** The last line, when it is whole and begins as an end line does. */
  readonly end: string | undefined;
  readonly #handle: FileHandle;
  readonly #bodyStart: number;
  readonly #bodyEnd: number;
  readonly #hash: Hash = createHash('sm3');
  #hashed = 0;

  private constructor(handle: FileHandle, bytesTotal: number, parts: Parts) {
    this.#handle = handle;
    this.bytesTotal = bytesTotal;
    this.preamble = parts.preamble;
    this.end = parts.end;
    this.#bodyStart = parts.bodyStart;
    this.#bodyEnd = parts.bodyEnd;
  }

  /** Throws the error of the file system when the file cannot be opened or read. */
  static async open(path: string): Promise<ExportFile> {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      const { end, bodyEnd } = await readEnd(handle, size);
      const { preamble, bodyStart } = await readPreamble(handle, bodyEnd);
      return new ExportFile(handle, size, { preamble, bodyStart, bodyEnd, end });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The entries of a range, in pieces that end behind the hashes of a tile. */
  async *chunks(): AsyncGenerator<ExportChunk> {
    await this.#hashUpTo(this.#bodyStart);
    let position = this.#bodyStart;
    let carry: Uint8Array = new Uint8Array(0);
    let from: number | undefined;
    while (position < this.#bodyEnd || carry.length > 0) {
      const block = Buffer.allocUnsafeSlow(carry.length + Math.min(BLOCK_BYTES, this.#bodyEnd - position));
      block.set(carry);
      await readFully(this.#handle, block.subarray(carry.length), position);
      this.#hash.update(block.subarray(carry.length));
      position += block.length - carry.length;
      this.#hashed = position;
      const cut = cutOf(block, position === this.#bodyEnd);
      carry = block.subarray(cut);
      if (cut === 0) continue;
      yield { bytes: new Uint8Array(block.subarray(0, cut)), from };
      from = nextSeq(block, cut);
    }
  }

  /** The lines after the preamble, one by one. A line that is no UTF-8 comes as an empty one, which nobody accepts. */
  async *lines(): AsyncGenerator<string> {
    for await (const { line } of linesBetween(this.#handle, this.#bodyStart, this.#bodyEnd)) yield line;
  }

  /** SM3 over all bytes before the last line, in hexadecimal. Once. */
  async digest(): Promise<string> {
    await this.#hashUpTo(this.#bodyEnd);
    return this.#hash.digest('hex');
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #hashUpTo(end: number): Promise<void> {
    while (this.#hashed < end) {
      const block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, end - this.#hashed));
      await readFully(this.#handle, block, this.#hashed);
      this.#hash.update(block);
      this.#hashed += block.length;
    }
  }
}

interface Parts {
  readonly preamble: readonly string[];
  readonly bodyStart: number;
  readonly bodyEnd: number;
  readonly end: string | undefined;
}

async function readFully(handle: FileHandle, target: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const { bytesRead } = await handle.read(target, done, target.length - done, position + done);
    if (bytesRead === 0) throw new Error('The file became shorter while it was read.');
    done += bytesRead;
  }
}

async function readEnd(handle: FileHandle, size: number): Promise<Pick<Parts, 'end' | 'bodyEnd'>> {
  const tail = Buffer.alloc(Math.min(LAST_LINE_BYTES_MAX, size));
  await readFully(handle, tail, size - tail.length);
  if (tail.at(-1) !== LINE_END) return { end: undefined, bodyEnd: size };
  const start = tail.lastIndexOf(LINE_END, tail.length - 2) + 1;
  const line = tail.toString('utf8', start, tail.length - 1);
  return line.startsWith('{"end":')
    ? { end: line, bodyEnd: size - tail.length + start }
    : { end: undefined, bodyEnd: size };
}

/** A line that is of no kind belongs to what follows it: a damaged first entry is still found by its number. */
async function readPreamble(handle: FileHandle, bodyEnd: number): Promise<Pick<Parts, 'preamble' | 'bodyStart'>> {
  const preamble: string[] = [];
  const damaged: string[] = [];
  let bodyStart = 0;
  let chars = 0;
  for await (const { line, next } of linesBetween(handle, 0, bodyEnd)) {
    chars += line.length;
    if (chars > PREAMBLE_CHARS_MAX) break;
    if (preamble.length > 0 && !PREAMBLE_LINE.test(line)) {
      if (BODY_LINE.test(line) || damaged.length > 0) break;
      damaged.push(line);
      continue;
    }
    preamble.push(...damaged.splice(0), line);
    bodyStart = next;
    if (preamble.length > PREAMBLE_LINES_MAX) break;
  }
  return { preamble, bodyStart };
}

async function* linesBetween(
  handle: FileHandle,
  start: number,
  end: number,
): AsyncGenerator<{ readonly line: string; readonly next: number }> {
  let position = start;
  let lineStart = start;
  let carry: Uint8Array = new Uint8Array(0);
  while (position < end) {
    const block = Buffer.allocUnsafeSlow(carry.length + Math.min(BLOCK_BYTES, end - position));
    block.set(carry);
    await readFully(handle, block.subarray(carry.length), position);
    position += block.length - carry.length;
    let at = 0;
    for (let to = block.indexOf(LINE_END, at); to >= 0; to = block.indexOf(LINE_END, at)) {
      lineStart += to + 1 - at;
      yield { line: textOf(block.subarray(at, to)), next: lineStart };
      at = to + 1;
    }
    carry = block.subarray(at);
    if (carry.length > CHUNK_BYTES_MAX) break;
  }
  if (carry.length > 0) yield { line: '', next: end };
}

const textOf = (bytes: Buffer): string => (isUtf8(bytes) ? bytes.toString('utf8') : '');

/** Where to cut a block: behind its last whole tile line; nowhere yet when there is none. */
function cutOf(block: Buffer, isLast: boolean): number {
  if (isLast) return block.length;
  for (let at = block.lastIndexOf(TILE_LINE); at >= 0; at = at === 0 ? -1 : block.lastIndexOf(TILE_LINE, at - 1)) {
    const lineEnd = block.indexOf(LINE_END, at + 1);
    if (lineEnd >= 0) return lineEnd + 1;
  }
  return block.length > CHUNK_BYTES_MAX ? block.length : 0;
}

/** The number after the tile whose line ends at `cut`, by what the line says; whoever judges the piece before finds a lie. */
function nextSeq(block: Buffer, cut: number): number {
  const start = block.lastIndexOf(TILE_LINE, cut - 2) + TILE_LINE.length;
  const seq = (Number.parseInt(block.toString('latin1', start, start + 20), 10) + 1) * TILE_WIDTH;
  return isSize(seq) ? seq : 0;
}
