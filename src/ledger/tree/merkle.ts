import { sm3 } from '../../crypto/digests.ts';
import { Fault } from '../../shared/fault.ts';
import { consistencyPath, fullSubtrees, inclusionPath, isSize, type Range, type Subtree } from './tree-shape.ts';

/** The tree of RFC 6962 2.1 in SM3 (L3). Sizes and positions are whole numbers up to 2^53 - 1. */
export const HASH_BYTES = 32;
/** Root of the tree without leaves: SM3 of nothing. */
export const EMPTY_ROOT: Buffer = sm3('');

const SEQ_BYTES = 8;
const NODE_BYTES = 1 + 2 * HASH_BYTES;
const LEAF_SCRATCH_BYTES = 1 + SEQ_BYTES + 16_384;

// One buffer each for all calls: hashing is synchronous, so no two calls meet in it.
const nodeScratch = Buffer.alloc(NODE_BYTES, 0x01);
const leafScratch = Buffer.alloc(LEAF_SCRATCH_BYTES);

/** The hash of a leaf from its data (`leafOf`): SM3(0x00 || data). */
export function hashOfLeaf(leaf: Uint8Array): Buffer {
  if (leaf.length >= LEAF_SCRATCH_BYTES) return sm3(Buffer.concat([Buffer.alloc(1), leaf]));
  leafScratch[0] = 0x00;
  leafScratch.set(leaf, 1);
  return sm3(leafScratch.subarray(0, 1 + leaf.length));
}

/** SM3(0x00 || uint64be(seq) || entry as UTF-8): the same as `hashOfLeaf(leafOf(seq, entry))` without the copies. */
export function leafHash(seq: number, entry: string): Buffer {
  // A UTF-16 unit becomes three bytes at most.
  if (1 + SEQ_BYTES + entry.length * 3 > LEAF_SCRATCH_BYTES) return hashOfLeaf(leafOf(seq, entry));
  leafScratch[0] = 0x00;
  writeSeq(leafScratch, seq, 1);
  const entryBytes = leafScratch.write(entry, 1 + SEQ_BYTES, 'utf8');
  return sm3(leafScratch.subarray(0, 1 + SEQ_BYTES + entryBytes));
}

/** The data of a leaf: uint64be(seq) || entry as UTF-8. Throws `Fault('internal')` when `seq` is no whole number from 0. */
export function leafOf(seq: number, entry: string): Buffer {
  const leaf = Buffer.allocUnsafe(SEQ_BYTES + Buffer.byteLength(entry, 'utf8'));
  writeSeq(leaf, seq, 0);
  leaf.write(entry, SEQ_BYTES, 'utf8');
  return leaf;
}

function writeSeq(target: Buffer, seq: number, offset: number): void {
  if (!isSize(seq)) throw new Fault('internal', `${seq} is no sequence number of the ledger.`);
  target.writeUInt32BE(Math.floor(seq / 0x1_0000_0000), offset);
  target.writeUInt32BE(seq % 0x1_0000_0000, offset + 4);
}

/** SM3(0x01 || left || right). Throws `Fault('internal')` unless both are 32 bytes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES) {
    throw new Fault('internal', 'A node of the ledger tree needs two hashes of 32 bytes.');
  }
  nodeScratch.set(left, 1);
  nodeScratch.set(right, 1 + HASH_BYTES);
  return sm3(nodeScratch);
}

/**
 * Root of the tree over hashes that stand one behind the other, as in a tile: any number of them, 32 bytes each.
 * Throws `Fault('internal')` for another length.
 */
export function rootOver(hashes: Uint8Array): Buffer {
  if (hashes.length % HASH_BYTES !== 0) throw new Fault('internal', 'Hashes of the ledger tree are 32 bytes each.');
  if (hashes.length === 0) return EMPTY_ROOT;
  const level = Buffer.from(hashes);
  let count = hashes.length / HASH_BYTES;
  for (; count > 1; count = Math.ceil(count / 2)) {
    for (let index = 0; index + 1 < count; index += 2) {
      level.copy(nodeScratch, 1, index * HASH_BYTES, (index + 2) * HASH_BYTES);
      level.set(sm3(nodeScratch), (index / 2) * HASH_BYTES);
    }
    // The last of an odd number has no partner yet and rises unhashed.
    if (count % 2 === 1) level.copyWithin(((count - 1) / 2) * HASH_BYTES, (count - 1) * HASH_BYTES, count * HASH_BYTES);
  }
  return Buffer.from(level.subarray(0, HASH_BYTES));
}

/**
 * The right edge of a growing tree: the roots of its full subtrees, left to right, largest first. Holds log2(size) hashes
 * however large the tree is. Hashes handed in are kept, not copied, and those handed out are the frontier's own: neither may
 * be written to afterwards.
 */
export class Frontier {
  #size: number;
  readonly #roots: Buffer[];

  /** Throws `Fault('internal')` when the hashes cannot be those of a tree of `size` leaves. */
  constructor(size = 0, hashes: readonly Uint8Array[] = []) {
    const expected = isSize(size) ? fullSubtrees({ start: 0, end: size }).length : -1;
    if (hashes.length !== expected || hashes.some(({ length }) => length !== HASH_BYTES)) {
      throw new Fault('internal', `${hashes.length} hashes are not the frontier of a tree of ${size} leaves.`);
    }
    this.#size = size;
    this.#roots = hashes.map(asBuffer);
  }

  get size(): number {
    return this.#size;
  }

  /** Adds the hash of the next leaf. `onNode` is told of every node that is now complete: the leaf first, then upwards. */
  append(leaf: Uint8Array, onNode?: (height: number, position: number, hash: Buffer) => void): void {
    if (leaf.length !== HASH_BYTES) throw new Fault('internal', 'The hash of a leaf is 32 bytes.');
    let hash = asBuffer(leaf);
    let position = this.#size;
    let height = 0;
    onNode?.(height, position, hash);
    while (position % 2 === 1) {
      hash = nodeHash(this.#roots.pop()!, hash);
      position = (position - 1) / 2;
      height += 1;
      onNode?.(height, position, hash);
    }
    this.#roots.push(hash);
    this.#size += 1;
  }

  root(): Buffer {
    return foldRight(this.#roots);
  }

  hashes(): readonly Buffer[] {
    return [...this.#roots];
  }
}

/** Gives the hash of the node of `height` (leaf = 0) at `position`, counted from the left; only complete nodes are asked for. */
export type NodeReader = (height: number, position: number) => Promise<Uint8Array>;

/** The frontier of the first `size` leaves. Reads one node for each bit of `size` that is set. */
export async function frontierAt(size: number, node: NodeReader): Promise<Frontier> {
  if (!isSize(size)) throw new Fault('internal', `${size} is no size of the ledger.`);
  return new Frontier(size, await readAll(fullSubtrees({ start: 0, end: size }), node));
}

/**
 * The sibling hashes that lead from leaf `index` to the root of the first `size` leaves, leaf to root (RFC 6962 2.1.1).
 * Throws `Fault('internal')` when the tree has no such leaf.
 */
export async function inclusionProof(index: number, size: number, node: NodeReader): Promise<readonly Buffer[]> {
  if (!isSize(index) || !isSize(size) || index >= size) {
    throw new Fault('internal', `A ledger of ${size} entries has no entry ${index}.`);
  }
  return Promise.all(inclusionPath(index, size).map((sibling) => rootOfRange(sibling, node)));
}

/**
 * Whether `proof` leads from the leaf hash to `root`. Anything malformed is false. The size itself is vouched for by the
 * checkpoint alone: two sizes in which the path has the same shape cannot be told apart here.
 */
export function verifyInclusion(
  index: number,
  size: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isSize(index) || !isSize(size) || index >= size || !areHashes([leaf, root, ...proof])) return false;
  const path = inclusionPath(index, size);
  if (path.length !== proof.length) return false;
  let hash = leaf;
  for (const [step, { side }] of path.entries()) {
    hash = side === 'left' ? nodeHash(proof[step]!, hash) : nodeHash(hash, proof[step]!);
  }
  return equal(hash, root);
}

/**
 * The hashes that show the first `oldSize` leaves unchanged within the first `newSize` (RFC 6962 2.1.2); none when the sizes
 * are equal or the old tree is empty. Throws `Fault('internal')` when the new tree is smaller.
 */
export async function consistencyProof(oldSize: number, newSize: number, node: NodeReader): Promise<readonly Buffer[]> {
  if (!isSize(oldSize) || !isSize(newSize) || oldSize > newSize) {
    throw new Fault('internal', `A ledger of ${newSize} entries does not extend one of ${oldSize}.`);
  }
  if (oldSize === 0) return [];
  const { shared, path } = consistencyPath(oldSize, newSize);
  // A shared node that begins with the first leaf is the old tree itself, whose root the verifier has.
  const ranges = shared.start === 0 ? path : [shared, ...path];
  return Promise.all(ranges.map((range) => rootOfRange(range, node)));
}

/** Whether `proof` shows the tree of `newRoot` to extend that of `oldRoot`. Anything malformed is false. */
export function verifyConsistency(
  oldSize: number,
  oldRoot: Uint8Array,
  newSize: number,
  newRoot: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!isSize(oldSize) || !isSize(newSize) || oldSize > newSize) return false;
  if (!areHashes([oldRoot, newRoot, ...proof])) return false;
  if (oldSize === newSize) return proof.length === 0 && equal(oldRoot, newRoot);
  if (oldSize === 0) return proof.length === 0 && equal(oldRoot, EMPTY_ROOT);
  const { shared, path } = consistencyPath(oldSize, newSize);
  const [first, siblings] = shared.start === 0 ? [oldRoot, proof] : [proof[0], proof.slice(1)];
  if (first === undefined || siblings.length !== path.length) return false;
  let [older, newer] = [first, first];
  for (const [step, { side }] of path.entries()) {
    const sibling = siblings[step]!;
    // What lies to the right came after the old tree ended.
    if (side === 'left') older = nodeHash(sibling, older);
    newer = side === 'left' ? nodeHash(sibling, newer) : nodeHash(newer, sibling);
  }
  return equal(older, oldRoot) && equal(newer, newRoot);
}

/** The root over a range of leaves: read where it is one complete subtree, folded from several at the right edge. */
const rootOfRange = async (range: Range, node: NodeReader): Promise<Buffer> =>
  foldRight(await readAll(fullSubtrees(range), node));

const readAll = async (subtrees: readonly Subtree[], node: NodeReader): Promise<readonly Buffer[]> =>
  (await Promise.all(subtrees.map(({ height, position }) => node(height, position)))).map(asBuffer);

function foldRight(roots: readonly Buffer[]): Buffer {
  let hash = roots.at(-1) ?? EMPTY_ROOT;
  for (let index = roots.length - 2; index >= 0; index -= 1) hash = nodeHash(roots[index]!, hash);
  return hash;
}

const areHashes = (values: readonly Uint8Array[]): boolean => values.every(({ length }) => length === HASH_BYTES);

const equal = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
