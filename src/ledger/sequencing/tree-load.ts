import { Fault } from '../../shared/fault.ts';
import type { Connection } from '../../storage/database.ts';
import { type Checkpoint, type NoteVerifier, parseNote, verifyNote } from '../checkpoints/checkpoint.ts';
import { EMPTY_ROOT, type Frontier, frontierAt, HASH_BYTES, leafHash } from '../tree/merkle.ts';
import { nodeFromTiles, TILE_HEIGHT, TILE_WIDTH, type TileReader } from '../tree/tiles.ts';
import { levelCount, nodesAtLevel, type Tree } from './tree-growth.ts';

/** The most that is ever hashed into the tiles before a checkpoint covers it; what bounds the work of a start. */
export const UNSIGNED_MAX = 4096;

/** The tree as it is stored, compared with the newest checkpoint. */
export interface LoadedTree {
  readonly ok: true;
  readonly tree: Tree;
  /** Entries covered by the newest checkpoint; 0 before the first. */
  readonly signedSize: number;
  /** When the newest checkpoint was made; 0 before the first. */
  readonly signedAtMs: number;
}

/** Why the stored ledger cannot be what was signed: one sentence for the operator. */
export interface Mismatch {
  readonly ok: false;
  readonly reason: string;
}

interface CheckpointRow {
  readonly size: number;
  readonly at_ms: number;
  readonly note: string;
}

const TREE = `SELECT size, (SELECT max(seq) FROM ledger_entries) AS last, (SELECT max(level) FROM ledger_tiles) AS top
  FROM ledger_tree WHERE id = $1`;
const NEWEST = 'SELECT size, at_ms, note FROM ledger_checkpoints ORDER BY size DESC LIMIT $1';
const TILE = 'SELECT hashes FROM ledger_tiles WHERE level = $1 AND position = $2';
const LAST_TILE = 'SELECT max(position) AS position FROM ledger_tiles WHERE level = $1';
const ENTRIES = 'SELECT seq, entry FROM ledger_entries WHERE seq >= $1 AND seq < $2 ORDER BY seq';

const refuse = (reason: string): Mismatch => ({ ok: false, reason });

/**
 * Reads the right edge of the stored tree and holds it against the newest checkpoint (L10). The checkpoint must bear our
 * signature; the entries from the last full tile below it are hashed anew, must agree with the tiles and must give the signed
 * root. As that root covers every hash of the edge, nothing older need be read: some dozen rows and at most 4,352 entries,
 * whatever the size. Edits deeper inside are what `tongban audit verify` finds.
 *
 * Nobody else may write the tree meanwhile: the caller holds the lease, or the lock of `ledger_tree`. `pause` runs after each
 * tile's worth of hashing, two milliseconds.
 */
export async function loadTree(
  connection: Connection,
  verifier: NoteVerifier,
  pause: () => Promise<void>,
): Promise<LoadedTree | Mismatch> {
  const row = await connection.get<{ size: number; last: number | null; top: number | null }>(TREE, [1]);
  if (row === undefined) return refuse('The row of the ledger tree is missing.');
  const newest = await connection.get<CheckpointRow>(NEWEST, [1]);
  const signed = newest && readCheckpoint(newest, verifier);
  if (signed && 'reason' in signed) return signed;
  const signedSize = signed?.size ?? 0;
  const entryCount = row.last === null ? 0 : row.last + 1;
  if (entryCount < signedSize) {
    return refuse(`The newest checkpoint covers ${signedSize} entries, and the last one stored is number ${row.last}.`);
  }
  if (row.size < signedSize || row.size > entryCount || row.size - signedSize > UNSIGNED_MAX) {
    return refuse(`The tree has ${row.size} entries: ${signedSize} are signed and ${entryCount} stored.`);
  }
  const edges = await readEdges(connection, row.size, row.top);
  if ('reason' in edges) return edges;
  const grown = await regrow(connection, row.size, signed, pause);
  if ('reason' in grown) return grown;
  const tree = { size: row.size, roots: grown.hashes(), edges: edges.hashes };
  return { ok: true, tree, signedSize, signedAtMs: newest?.at_ms ?? 0 };
}

function readCheckpoint({ size, note }: CheckpointRow, verifier: NoteVerifier): Checkpoint | Mismatch {
  const origin = parseNote(note)?.checkpoint.origin;
  if (origin !== undefined && origin !== verifier.name) {
    return refuse(`The newest checkpoint is of another ledger, "${origin}".`);
  }
  const checkpoint = verifyNote(note, verifier);
  if (checkpoint === undefined) return refuse(`The newest checkpoint, size ${size}, does not bear our signature.`);
  return checkpoint.size === size
    ? checkpoint
    : refuse(`The checkpoint stored under size ${size} was signed for size ${checkpoint.size}.`);
}

/** One tile after the other, even for callers who ask for several at once: a transaction is a single connection. */
function readTile(connection: Connection): TileReader {
  let last: Promise<Uint8Array | undefined> = Promise.resolve(undefined);
  return (level, position) => {
    last = last.then(async () => (await connection.get<{ hashes: Uint8Array }>(TILE, [level, position]))?.hashes);
    return last;
  };
}

/** The partial tiles of the edge. A tile that is longer than the tree, or lies beyond it, was not written by the sequencer. */
async function readEdges(
  connection: Connection,
  size: number,
  top: number | null,
): Promise<{ readonly hashes: readonly Buffer[] } | Mismatch> {
  const hashes: Buffer[] = [];
  const tile = readTile(connection);
  const levels = levelCount(size);
  if ((top ?? -1) !== levels - 1) return refuse(`A tree of ${size} entries does not have tiles up to level ${top}.`);
  for (let level = 0; level < levels; level += 1) {
    const nodes = nodesAtLevel(size, level);
    const position = Math.floor(nodes / TILE_WIDTH);
    const width = nodes % TILE_WIDTH;
    const last = await connection.get<{ position: number }>(LAST_TILE, [level]);
    const edge = await tile(level, position);
    if (last?.position !== Math.ceil(nodes / TILE_WIDTH) - 1 || (edge?.length ?? 0) !== width * HASH_BYTES) {
      return refuse(`The last tile of level ${level} does not end where a tree of ${size} entries does.`);
    }
    hashes.push(edge === undefined ? Buffer.alloc(0) : Buffer.from(edge));
  }
  return { hashes };
}

/** Grows the tree anew from the last full tile below the checkpoint and compares every node that stands in a tile. */
async function regrow(
  connection: Connection,
  size: number,
  signed: Checkpoint | undefined,
  pause: () => Promise<void>,
): Promise<Frontier | Mismatch> {
  const signedSize = signed?.size ?? 0;
  const start = signedSize - (signedSize % TILE_WIDTH);
  const tile = readTile(connection);
  const frontier = await frontierOfTiles(start, tile);
  if ('reason' in frontier) return frontier;
  const grown: { level: number; position: number; hash: Buffer }[] = [];
  const note = (height: number, position: number, hash: Buffer): void => {
    if (height % TILE_HEIGHT === 0) grown.push({ level: height / TILE_HEIGHT, position, hash });
  };
  const rootDiffers = (): boolean =>
    frontier.size === signedSize && !frontier.root().equals(signed?.root ?? EMPTY_ROOT);
  const differs = refuse(`The root of the first ${signedSize} entries is not the one that was signed.`);
  if (rootDiffers()) return differs;
  for (let from = start; from < size; from += TILE_WIDTH) {
    const to = Math.min(from + TILE_WIDTH, size);
    const entries = await connection.all<{ seq: number; entry: string }>(ENTRIES, [from, to]);
    for (const [index, { seq, entry }] of entries.entries()) {
      if (seq !== from + index) break;
      frontier.append(leafHash(seq, entry), note);
      if (rootDiffers()) return differs;
    }
    if (frontier.size !== to) return refuse(`Entry ${frontier.size} of the ledger is missing.`);
    const wrong = await firstDifference(grown.splice(0), tile);
    if (wrong !== undefined) return refuse(`Tile ${wrong} does not hold the hashes of its entries.`);
    await pause();
  }
  return frontier;
}

async function frontierOfTiles(size: number, tile: TileReader): Promise<Frontier | Mismatch> {
  try {
    return await frontierAt(size, nodeFromTiles(tile));
  } catch (error) {
    if (error instanceof Fault && error.code === 'ledger_mismatch') return refuse(error.message);
    throw error;
  }
}

/** The first tile that lacks or contradicts one of the nodes, as `level/position`. */
async function firstDifference(
  nodes: readonly { readonly level: number; readonly position: number; readonly hash: Buffer }[],
  tile: TileReader,
): Promise<string | undefined> {
  const read = new Map<string, Uint8Array | undefined>();
  for (const { level, position, hash } of nodes) {
    const inTile = Math.floor(position / TILE_WIDTH);
    const name = `${level}/${inTile}`;
    if (!read.has(name)) read.set(name, await tile(level, inTile));
    const at = (position % TILE_WIDTH) * HASH_BYTES;
    const stored = read.get(name)?.subarray(at, at + HASH_BYTES);
    if (stored === undefined || !hash.equals(stored)) return name;
  }
  return undefined;
}
