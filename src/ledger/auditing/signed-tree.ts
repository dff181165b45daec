import { BoundedMap } from '../../shared/bounded-map.ts';
import type { Connection } from '../../storage/database.ts';
import { type NodeReader, nodeHash } from '../tree/merkle.ts';
import { nodeFromTiles, TILE_HEIGHT } from '../tree/tiles.ts';

/** The tree below the newest checkpoint: what proofs are made of. */
export interface SignedTree {
  readonly size: number;
  readonly note: string;
  readonly node: NodeReader;
  /** The notes that are kept for sizes from `from` to `to`, both inclusive, in the order of their sizes. */
  notes(from: number, to: number): Promise<readonly string[]>;
}

const NEWEST = 'SELECT size, note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1';
const NOTES = 'SELECT note FROM ledger_checkpoints WHERE size >= $1 AND size <= $2 ORDER BY size';
const TILE = 'SELECT hashes FROM ledger_tiles WHERE level = $1 AND position = $2';
/** Proofs of neighbours need the same tiles and the same nodes: 2 MB and 1 MB of them. */
const TILES_KEPT_MAX = 256;
const NODES_KEPT_MAX = 8192;

/** The tree as it is signed now; it may grow meanwhile, below `size` nothing changes. Undefined before the first checkpoint. */
export async function signedTree(connection: Connection): Promise<SignedTree | undefined> {
  const newest = await connection.get<{ size: number; note: string }>(NEWEST, []);
  if (newest === undefined) return undefined;
  const tile = remembering(
    async (level, position) => (await connection.get<{ hashes: Uint8Array }>(TILE, [level, position]))?.hashes,
    TILES_KEPT_MAX,
  );
  const stored = nodeFromTiles(tile);
  // What lies between two levels of tiles is joined from nodes that neighbours have needed already, not hashed anew for each proof.
  const node: NodeReader = remembering(async (height, position) => {
    if (height % TILE_HEIGHT === 0) return stored(height, position);
    const [left, right] = [await node(height - 1, 2 * position), await node(height - 1, 2 * position + 1)];
    return nodeHash(left, right);
  }, NODES_KEPT_MAX);
  return {
    size: Number(newest.size),
    note: newest.note,
    node,
    notes: async (from, to) => (await connection.all<{ note: string }>(NOTES, [from, to])).map(({ note }) => note),
  };
}

/** The same function with what it was asked for last in memory; what nobody has asked for longest goes first. */
function remembering<T>(
  read: (level: number, position: number) => Promise<T>,
  keptMax: number,
): (level: number, position: number) => Promise<T> {
  const kept = new BoundedMap<string, Promise<T>>(keptMax);
  return (level, position) => {
    const name = `${level}/${position}`;
    const known = kept.get(name) ?? read(level, position);
    kept.delete(name);
    kept.set(name, known);
    return known;
  };
}
