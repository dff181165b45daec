import { Fault } from '../../shared/fault.ts';
import { EMPTY_ROOT, HASH_BYTES, nodeHash } from './merkle.ts';
import { isSize } from './tree-shape.ts';

/** A complete subtree of 2^height leaves, the `position`-th of its height. */
export interface CompletedNode {
  readonly height: number;
  readonly position: number;
  readonly hash: Buffer;
}

/**
 * The left part of a tree as the roots of its full subtrees, which grows by whole subtrees and not by leaves alone: a verifier
 * hashes tiles wherever there is a processor for it and joins them here.
 */
export class CompactRange {
  #size: number;
  readonly #nodes: { readonly height: number; readonly hash: Buffer }[];

  /** The hashes stand left to right, largest subtree first. Throws `Fault('internal')` when they are not one for each bit of `size`. */
  constructor(size = 0, hashes: readonly Buffer[] = []) {
    const heights = isSize(size) ? heightsOf(size) : undefined;
    if (heights?.length !== hashes.length || hashes.some(({ length }) => length !== HASH_BYTES)) {
      throw new Fault('internal', `${hashes.length} hashes are not the compact range of ${size} leaves.`);
    }
    this.#size = size;
    this.#nodes = hashes.map((hash, index) => ({ height: heights[index]!, hash }));
  }

  get size(): number {
    return this.#size;
  }

  /** Adds the subtree that begins where the range ends. `onNode` is told of the inner nodes that this completes. */
  push(height: number, hash: Buffer, onNode?: (node: CompletedNode) => void): void {
    const width = 2 ** height;
    if (this.#size % width !== 0)
      throw new Fault('internal', `No subtree of height ${height} begins at ${this.#size}.`);
    let position = this.#size / width;
    let [risingHeight, risingHash] = [height, hash];
    onNode?.({ height, position, hash });
    while (this.#nodes.at(-1)?.height === risingHeight) {
      risingHash = nodeHash(this.#nodes.pop()!.hash, risingHash);
      risingHeight += 1;
      position = Math.floor(position / 2);
      onNode?.({ height: risingHeight, position, hash: risingHash });
    }
    this.#nodes.push({ height: risingHeight, hash: risingHash });
    this.#size += width;
  }

  root(): Buffer {
    const last = this.#nodes.at(-1);
    if (last === undefined) return EMPTY_ROOT;
    let { hash } = last;
    for (let index = this.#nodes.length - 2; index >= 0; index -= 1) hash = nodeHash(this.#nodes[index]!.hash, hash);
    return hash;
  }
}

/** Heights of the full subtrees of the first `size` leaves, left to right. */
function heightsOf(size: number): readonly number[] {
  const heights: number[] = [];
  for (let [rest, height] = [size, 0]; rest > 0; rest = Math.floor(rest / 2), height += 1) {
    if (rest % 2 === 1) heights.unshift(height);
  }
  return heights;
}

/**
 * The subtrees that lead from `from` leaves to `to` leaves, left to right: each the largest that begins where the one before it
 * ends and does not reach beyond `to`. Pushed in this order they complete the tree.
 */
export function completion(
  from: number,
  to: number,
): readonly { readonly height: number; readonly position: number }[] {
  const nodes: { height: number; position: number }[] = [];
  let at = from;
  while (at < to) {
    let [height, width] = [0, 1];
    while (at % (width * 2) === 0 && at + width * 2 <= to) {
      width *= 2;
      height += 1;
    }
    nodes.push({ height, position: at / width });
    at += width;
  }
  return nodes;
}
