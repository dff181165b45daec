import { Fault } from '../../shared/fault.ts';
import { HASH_BYTES, type NodeReader, rootOver } from './merkle.ts';
import { isSize } from './tree-shape.ts';

/** A tile holds the hashes of 256 neighbours; the one above it, eight levels of the tree higher, holds their common root. */
export const TILE_HEIGHT = 8;
export const TILE_WIDTH = 256;
export const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
/** Above level 6 a tree of 2^53 leaves has no complete node. */
export const TILE_LEVEL_MAX = 6;

/** Data of one leaf: sequence number and entry, 16 KiB at most. */
const LEAF_BYTES_MIN = 9;
const LEAF_BYTES_MAX = 8 + 16_384;
const LENGTH_BYTES = 4;

/** What a path names: hashes of a level, or the leaves themselves (`entries`). `width` under 256 is a tile still growing. */
export interface TileName {
  readonly level: number | 'entries';
  readonly position: number;
  readonly width: number;
}

/** `tile/<L>/<N>[.p/<W>]` (L4). Throws `Fault('internal')` for numbers that name no tile. */
export const tilePath = (level: number, position: number, width = TILE_WIDTH): string =>
  pathOf({ level, position, width });

/** `tile/entries/<N>[.p/<W>]`, the bundle of the leaves under tile N of level 0 (L4). Faults as `tilePath`. */
export const bundlePath = (position: number, width = TILE_WIDTH): string =>
  pathOf({ level: 'entries', position, width });

function pathOf({ level, position, width }: TileName): string {
  const levelExists = level === 'entries' || (isSize(level) && level <= TILE_LEVEL_MAX);
  if (!levelExists || !isSize(position) || !isSize(width) || width < 1 || width > TILE_WIDTH) {
    throw new Fault('internal', `There is no ledger tile of level ${level}, position ${position}, width ${width}.`);
  }
  const digits = `${position}`;
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g) ?? [];
  const number = groups.map((group, index) => (index < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${level}/${number}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

const TILE_PATH = /^tile\/(?<level>[0-6]|entries)\/(?<groups>(?:x\d{3}\/){0,5}\d{3})(?:\.p\/(?<width>[1-9]\d{0,2}))?$/;

/** The tile a path names; undefined for any path that `tilePath` and `bundlePath` would not have written. */
export function parseTilePath(path: string): TileName | undefined {
  const { level, groups, width } = TILE_PATH.exec(path)?.groups ?? {};
  if (level === undefined || groups === undefined) return undefined;
  const tile: TileName = {
    level: level === 'entries' ? level : Number(level),
    position: Number(groups.replaceAll(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  // Written anew and compared: needless leading groups, `.p/256` and numbers past 2^53 do not survive that.
  if (!isSize(tile.position) || tile.width > TILE_WIDTH) return undefined;
  return pathOf(tile) === path ? tile : undefined;
}

/** The leaves of a bundle, each behind its length: uint32be(length) || data. Throws `Fault('internal')` beyond the limits. */
export function encodeBundle(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length < 1 || leaves.length > TILE_WIDTH || !leaves.every(({ length }) => isLeafLength(length))) {
    throw new Fault('internal', `A bundle holds 1 to ${TILE_WIDTH} leaves of ${LEAF_BYTES_MAX} bytes at most.`);
  }
  const bundle = Buffer.allocUnsafe(leaves.reduce((total, { length }) => total + LENGTH_BYTES + length, 0));
  let at = 0;
  for (const leaf of leaves) {
    bundle.writeUInt32BE(leaf.length, at);
    bundle.set(leaf, at + LENGTH_BYTES);
    at += LENGTH_BYTES + leaf.length;
  }
  return bundle;
}

/** The data of the leaves in a bundle, as views of it; undefined when it is not exactly 1 to 256 of them. */
export function decodeBundle(bytes: Uint8Array): readonly Buffer[] | undefined {
  const bundle = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const leaves: Buffer[] = [];
  let at = 0;
  while (at < bundle.length) {
    if (leaves.length === TILE_WIDTH || bundle.length - at < LENGTH_BYTES) return undefined;
    const start = at + LENGTH_BYTES;
    const length = bundle.readUInt32BE(at);
    if (!isLeafLength(length) || bundle.length - start < length) return undefined;
    leaves.push(bundle.subarray(start, start + length));
    at = start + length;
  }
  return leaves.length === 0 ? undefined : leaves;
}

const isLeafLength = (length: number): boolean => length >= LEAF_BYTES_MIN && length <= LEAF_BYTES_MAX;

/** The hashes of one tile, 32 bytes each, or undefined when there is none. A growing tile may be shorter than 256. */
export type TileReader = (level: number, position: number) => Promise<Uint8Array | undefined>;

/**
 * Reads nodes of any height out of tiles: what lies between two levels of tiles is hashed anew, 127 nodes at most. A node asks
 * for one tile and keeps none. Throws `Fault('ledger_mismatch')` when the tile is missing or does not reach so far.
 */
export const nodeFromTiles =
  (readTile: TileReader): NodeReader =>
  async (height, position) => {
    const level = Math.floor(height / TILE_HEIGHT);
    const width = 2 ** (height % TILE_HEIGHT);
    const tile = Math.floor((position * width) / TILE_WIDTH);
    const first = (position * width) % TILE_WIDTH;
    const hashes = await readTile(level, tile);
    if (hashes === undefined || hashes.length > TILE_BYTES || hashes.length < (first + width) * HASH_BYTES) {
      throw new Fault(
        'ledger_mismatch',
        `Tile ${level}/${tile} of the ledger lacks hashes ${first} to ${first + width - 1}.`,
      );
    }
    return rootOver(hashes.subarray(first * HASH_BYTES, (first + width) * HASH_BYTES));
  };
