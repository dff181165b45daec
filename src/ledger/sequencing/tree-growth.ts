import { Frontier, HASH_BYTES, leafHash } from '../tree/merkle.ts';
import { TILE_HEIGHT, TILE_WIDTH } from '../tree/tiles.ts';

/** A tile as it is stored: up to 256 hashes of 32 bytes, one behind the other. */
export interface StoredTile {
  readonly level: number;
  readonly position: number;
  readonly hashes: Buffer;
}

/** As much of the tree as it takes to grow it. A value: growing makes another one, so a write that is undone leaves no trace. */
export interface Tree {
  readonly size: number;
  /** The roots of the full subtrees (`Frontier.hashes`). */
  readonly roots: readonly Buffer[];
  /** By level, the hashes of the last tile; nothing where that tile has just been filled. */
  readonly edges: readonly Buffer[];
}

export const EMPTY_TREE: Tree = { size: 0, roots: [], edges: [] };

/** Nodes that a tree of `size` leaves has complete at the height of tile level `level`. */
export const nodesAtLevel = (size: number, level: number): number => Math.floor(size / TILE_WIDTH ** level);

/** Tile levels that hold anything of a tree of `size` leaves. */
export function levelCount(size: number): number {
  let level = 0;
  while (nodesAtLevel(size, level) > 0) level += 1;
  return level;
}

interface OpenTile {
  /** Room for a whole tile; owned by the growth until the tile is handed out. */
  bytes: Buffer;
  width: number;
  position: number;
}

/** Adds leaves to a tree and gathers the tiles they change. Pure: hashing is all it does. */
export class TreeGrowth {
  readonly #frontier: Frontier;
  readonly #edges: readonly Buffer[];
  readonly #open: (OpenTile | undefined)[] = [];
  readonly #startSize: number;
  readonly #full: StoredTile[] = [];

  constructor({ size, roots, edges }: Tree) {
    this.#frontier = new Frontier(size, roots);
    this.#edges = edges;
    this.#startSize = size;
  }

  get size(): number {
    return this.#frontier.size;
  }

  /** Adds the entry that has the next number. */
  append(entry: string): void {
    this.#frontier.append(leafHash(this.#frontier.size, entry), this.#place);
  }

  /** The grown tree, and every tile that is new or longer than before: full ones first, then the partial ones. */
  finish(): { readonly tree: Tree; readonly tiles: readonly StoredTile[] } {
    const partial: StoredTile[] = [];
    const edges: Buffer[] = [...this.#edges];
    for (const [level, tile] of this.#open.entries()) {
      if (tile === undefined) continue;
      const hashes = tile.bytes.subarray(0, tile.width * HASH_BYTES);
      edges[level] = hashes;
      if (tile.width > 0) partial.push({ level, position: tile.position, hashes });
    }
    return {
      tree: { size: this.#frontier.size, roots: this.#frontier.hashes(), edges },
      tiles: [...this.#full, ...partial],
    };
  }

  readonly #place = (height: number, _position: number, hash: Buffer): void => {
    if (height % TILE_HEIGHT !== 0) return;
    const level = height / TILE_HEIGHT;
    const tile = this.#opened(level);
    hash.copy(tile.bytes, tile.width * HASH_BYTES);
    tile.width += 1;
    if (tile.width < TILE_WIDTH) return;
    this.#full.push({ level, position: tile.position, hashes: tile.bytes });
    tile.bytes = Buffer.allocUnsafe(TILE_WIDTH * HASH_BYTES);
    tile.width = 0;
    tile.position += 1;
  };

  #opened(level: number): OpenTile {
    const known = this.#open[level];
    if (known !== undefined) return known;
    const edge = this.#edges[level];
    const bytes = Buffer.allocUnsafe(TILE_WIDTH * HASH_BYTES);
    edge?.copy(bytes);
    const position = Math.floor(nodesAtLevel(this.#startSize, level) / TILE_WIDTH);
    const tile = { bytes, width: (edge?.length ?? 0) / HASH_BYTES, position };
    this.#open[level] = tile;
    return tile;
  }
}
