import { createHash } from 'node:crypto';
import test from 'ava';
import {
  consistencyProof,
  EMPTY_ROOT,
  Frontier,
  frontierAt,
  hashOfLeaf,
  inclusionProof,
  leafHash,
  leafOf,
  type NodeReader,
  nodeHash,
  rootOver,
  verifyConsistency,
  verifyInclusion,
} from '../src/ledger/tree/merkle.ts';
import { Fault } from '../src/shared/fault.ts';

/** The definitions of RFC 6962 2.1 once more, as they are written there: slow, recursive, and nothing shared with ours. */
const digest = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sm3');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const known = new Map<string, Buffer>();
const largestPowerBelow = (size: number, power = 1): number =>
  power * 2 < size ? largestPowerBelow(size, power * 2) : power;
function naiveRoot(start: number, end: number): Buffer {
  if (start === end) return digest();
  if (end - start === 1) return leaf(start);
  const name = `${start}-${end}`;
  const k = largestPowerBelow(end - start);
  const root = known.get(name) ?? digest(Buffer.of(1), naiveRoot(start, start + k), naiveRoot(start + k, end));
  known.set(name, root);
  return root;
}
function naivePath(index: number, start: number, end: number): readonly Buffer[] {
  if (end - start === 1) return [];
  const k = start + largestPowerBelow(end - start);
  return index < k
    ? [...naivePath(index, start, k), naiveRoot(k, end)]
    : [...naivePath(index, k, end), naiveRoot(start, k)];
}
function naiveSubproof(old: number, start: number, end: number, whole: boolean): readonly Buffer[] {
  if (old === end) return whole ? [] : [naiveRoot(start, end)];
  const k = start + largestPowerBelow(end - start);
  return old <= k
    ? [...naiveSubproof(old, start, k, whole), naiveRoot(k, end)]
    : [...naiveSubproof(old, k, end, false), naiveRoot(start, k)];
}
/** Which way the path turns, root to leaf: what a proof depends on besides its hashes. */
function turns(index: number, size: number): string {
  if (size === 1) return '';
  const k = largestPowerBelow(size);
  return index < k ? `L${turns(index, k)}` : `R${turns(index - k, size - k)}`;
}
function subproofTurns(old: number, size: number): string {
  if (old === size) return '.';
  const k = largestPowerBelow(size);
  return old <= k ? `L${subproofTurns(old, k)}` : `R${subproofTurns(old - k, size - k)}`;
}

const LEAVES_MAX = 20_000;
const entry = (seq: number): string => `{"n":${seq},"text":"通办"}`;
const leaves: Buffer[] = [];
function leaf(seq: number): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(seq));
  leaves[seq] ??= digest(Buffer.of(0), number, Buffer.from(entry(seq)));
  return leaves[seq];
}

/** The whole tree as the ledger would store it: the nodes the frontier tells of, and its root at every size. */
const nodes = new Map<string, Buffer>();
const roots: Buffer[] = [EMPTY_ROOT];
const grown = new Frontier();
for (let seq = 0; seq < LEAVES_MAX; seq += 1) {
  grown.append(leafHash(seq, entry(seq)), (height, position, hash) => nodes.set(`${height}/${position}`, hash));
  if (seq < 300) roots.push(grown.root());
}
const node: NodeReader = async (height, position) => {
  const hash = nodes.get(`${height}/${position}`);
  if (hash === undefined) throw new Error(`node ${height}/${position} is asked for before it is complete`);
  return hash;
};

/** Seeded, so that a failure can be repeated. */
let state = 20_260_101;
const below = (limit: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 0x1_0000_0000) * limit);
};

function* bitFlips(bytes: Uint8Array): Generator<Buffer> {
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    yield flipped;
  }
}
const sizeFlips = (value: number): readonly number[] =>
  Array.from({ length: 53 }, (_, bit) => Number(BigInt(value) ^ (1n << BigInt(bit))));

test('L3 leaf and node hashes are SM3 over prefix and content, in every way to compute them', (t) => {
  for (const seq of [0, 1, 255, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    t.deepEqual(leafHash(seq, entry(seq)), leaf(seq));
    t.deepEqual(hashOfLeaf(leafOf(seq, entry(seq))), leaf(seq));
  }
  for (const length of [0, 5461, 5462, 16_383, 16_384, 40_000]) {
    const text = '办'.repeat(length);
    t.deepEqual(leafHash(7, text), digest(Buffer.of(0), leafOf(7, text)), `${length} characters`);
    t.deepEqual(hashOfLeaf(leafOf(7, text)), digest(Buffer.of(0), leafOf(7, text)), `${length} characters as data`);
  }
  t.deepEqual(nodeHash(leaf(0), leaf(1)), digest(Buffer.of(1), leaf(0), leaf(1)));
  t.deepEqual(EMPTY_ROOT, digest());
  for (const seq of [-1, 0.5, Number.NaN, 2 ** 53]) t.throws(() => leafHash(seq, ''), { instanceOf: Fault });
  t.throws(() => nodeHash(leaf(0), leaf(1).subarray(1)), { instanceOf: Fault });
});

test('L3 the root is that of RFC 6962 at every size from 0 to 300, grown, read back and hashed anew', async (t) => {
  for (let size = 0; size <= 300; size += 1) {
    const expected = naiveRoot(0, size);
    t.deepEqual(roots[size], expected, `grown to ${size}`);
    const frontier = await frontierAt(size, node);
    t.deepEqual(frontier.root(), expected, `read at ${size}`);
    t.deepEqual(new Frontier(size, frontier.hashes()).root(), expected, `made again at ${size}`);
    frontier.append(leaf(size));
    t.is(frontier.size, size + 1);
    t.deepEqual(frontier.root(), naiveRoot(0, size + 1), `grown on from ${size}`);
    t.deepEqual(rootOver(Buffer.concat(Array.from({ length: size }, (_, seq) => leaf(seq)))), expected);
  }
});

test('L3 every inclusion proof up to size 300 is the one of RFC 6962, and verifies', async (t) => {
  for (let size = 1; size <= 300; size += 1) {
    for (let index = 0; index < size; index += 1) {
      const proof = await inclusionProof(index, size, node);
      if (!Buffer.concat(proof).equals(Buffer.concat(naivePath(index, 0, size)))) t.fail(`${index} of ${size}`);
      if (!verifyInclusion(index, size, leaf(index), proof, roots[size]!)) t.fail(`${index} of ${size} refused`);
    }
  }
  t.pass();
});

test('L3 every consistency proof up to size 300 is the one of RFC 6962, and verifies', async (t) => {
  for (let size = 1; size <= 300; size += 1) {
    for (let old = 1; old <= size; old += 1) {
      const proof = await consistencyProof(old, size, node);
      if (!Buffer.concat(proof).equals(Buffer.concat(naiveSubproof(old, 0, size, true)))) t.fail(`${old} to ${size}`);
      if (!verifyConsistency(old, roots[old]!, size, roots[size]!, proof)) t.fail(`${old} to ${size} refused`);
    }
    if (!verifyConsistency(0, EMPTY_ROOT, size, roots[size]!, await consistencyProof(0, size, node))) t.fail();
  }
  t.pass();
});

test('L3 larger trees agree with RFC 6962 as well', async (t) => {
  for (let round = 0; round < 60; round += 1) {
    const size = 301 + below(LEAVES_MAX - 300);
    const [index, old] = [below(size), 1 + below(size)];
    const root = naiveRoot(0, size);
    t.deepEqual((await frontierAt(size, node)).root(), root);
    const path = await inclusionProof(index, size, node);
    t.deepEqual(path, naivePath(index, 0, size));
    t.true(verifyInclusion(index, size, leaf(index), path, root));
    const extension = await consistencyProof(old, size, node);
    t.deepEqual(extension, naiveSubproof(old, 0, size, true));
    t.true(verifyConsistency(old, naiveRoot(0, old), size, root, extension));
  }
});

test('L3 sizes beyond 32 bits, up to the largest whole number, are counted right', async (t) => {
  // All leaves alike, so that every complete node of a height has one known hash and the tree need not be built.
  const heights = [leaf(0)];
  for (let height = 1; height <= 53; height += 1) heights.push(nodeHash(heights.at(-1)!, heights.at(-1)!));
  const uniform: NodeReader = async (height, position) => {
    if ((position + 1) * 2 ** height > Number.MAX_SAFE_INTEGER) throw new Error(`no node ${height}/${position}`);
    return heights[height]!;
  };
  for (const size of [2 ** 31, 2 ** 32 + 1, 2 ** 40 + 12_345, 2 ** 52, Number.MAX_SAFE_INTEGER]) {
    const frontier = await frontierAt(size, uniform);
    t.is(frontier.hashes().length, [...size.toString(2)].filter((bit) => bit === '1').length);
    const index = size - 1 - below(1000);
    const path = await inclusionProof(index, size, uniform);
    t.true(verifyInclusion(index, size, leaf(0), path, frontier.root()));
    t.false(verifyInclusion(index - 2 ** 30, size, leaf(0), path.slice(1), frontier.root()));
    const old = size - 1 - below(2 ** 31 - 1);
    const oldRoot = (await frontierAt(old, uniform)).root();
    const extension = await consistencyProof(old, size, uniform);
    t.true(verifyConsistency(old, oldRoot, size, frontier.root(), extension));
  }
});

test('L3 no bit of a leaf, an inclusion proof, a root or an index can change unseen', async (t) => {
  const cases = Array.from({ length: 24 }, (_, round) => 1 + below(round < 16 ? 300 : LEAVES_MAX));
  for (const size of [1, 2, 3, ...cases]) {
    const index = below(size);
    const [root, own] = [naiveRoot(0, size), leaf(index)];
    const proof = await inclusionProof(index, size, node);
    const refused = (i: number, n: number, l: Uint8Array, p: readonly Uint8Array[], r: Uint8Array): void => {
      if (verifyInclusion(i, n, l, p, r)) t.fail(`${i} of ${n} passes for ${index} of ${size}`);
    };
    for (const flipped of bitFlips(own)) refused(index, size, flipped, proof, root);
    for (const flipped of bitFlips(root)) refused(index, size, own, proof, flipped);
    for (const [place, hash] of proof.entries()) {
      for (const flipped of bitFlips(hash)) refused(index, size, own, proof.with(place, flipped), root);
    }
    for (const other of sizeFlips(index)) refused(other, size, own, proof, root);
    for (const other of sizeFlips(size)) {
      // A path of the same shape is the same proof; the size is what the checkpoint signs.
      if (other <= index || turns(index, other) !== turns(index, size)) refused(index, other, own, proof, root);
    }
    refused(index, size, own, [...proof, root], root);
    refused(index, size, own, [root, ...proof], root);
    if (proof.length > 0) {
      refused(index, size, own, proof.slice(1), root);
      refused(index, size, own, proof.slice(0, -1), root);
      refused(index, size, own, proof.with(0, proof[0]!.subarray(1)), root);
      refused(index, size, own, proof.with(0, Buffer.concat([proof[0]!, Buffer.of(0)])), root);
    }
    for (const odd of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      refused(odd, size, own, proof, root);
      refused(index, odd, own, proof, root);
    }
  }
  t.pass();
});

test('L3 no bit of a consistency proof, its roots or its sizes can change unseen', async (t) => {
  const cases = Array.from({ length: 20 }, (_, round) => 2 + below(round < 14 ? 299 : LEAVES_MAX - 1));
  for (const size of [2, 3, 4, ...cases]) {
    const old = 1 + below(size - 1);
    const [oldRoot, root] = [naiveRoot(0, old), naiveRoot(0, size)];
    const proof = await consistencyProof(old, size, node);
    const refused = (m: number, a: Uint8Array, n: number, b: Uint8Array, p: readonly Uint8Array[]): void => {
      if (verifyConsistency(m, a, n, b, p)) t.fail(`${m} to ${n} passes for ${old} to ${size}`);
    };
    for (const flipped of bitFlips(oldRoot)) refused(old, flipped, size, root, proof);
    for (const flipped of bitFlips(root)) refused(old, oldRoot, size, flipped, proof);
    for (const [place, hash] of proof.entries()) {
      for (const flipped of bitFlips(hash)) refused(old, oldRoot, size, root, proof.with(place, flipped));
    }
    const shape = subproofTurns(old, size);
    for (const other of sizeFlips(old)) {
      if (other < 1 || other > size || subproofTurns(other, size) !== shape) refused(other, oldRoot, size, root, proof);
    }
    for (const other of sizeFlips(size)) {
      if (other < old || subproofTurns(old, other) !== shape) refused(old, oldRoot, other, root, proof);
    }
    refused(old, oldRoot, size, root, [...proof, root]);
    refused(old, oldRoot, size, root, proof.slice(1));
    refused(old, oldRoot, size, root, proof.with(0, proof[0]!.subarray(1)));
    refused(size, root, size, oldRoot, []);
    refused(size, root, size, root, [root]);
    refused(size, root, old, oldRoot, proof);
    refused(0, root, size, root, []);
    refused(0, EMPTY_ROOT, size, root, [root]);
    for (const odd of [-1, 0.5, Number.NaN, 2 ** 53]) refused(odd, oldRoot, size, root, proof);
  }
  t.pass();
});

test('what no tree can be is refused before anything is hashed', async (t) => {
  const faulty = [
    () => new Frontier(3, [leaf(0)]),
    () => new Frontier(1, [leaf(0).subarray(1)]),
    () => new Frontier(-1),
    () => new Frontier(0, [leaf(0)]),
    () => new Frontier().append(leaf(0).subarray(1)),
    () => rootOver(leaf(0).subarray(1)),
  ];
  for (const [place, make] of faulty.entries()) t.throws(make, { instanceOf: Fault }, `${place}`);
  await t.throwsAsync(inclusionProof(3, 3, node), { instanceOf: Fault });
  await t.throwsAsync(inclusionProof(-1, 3, node), { instanceOf: Fault });
  await t.throwsAsync(consistencyProof(4, 3, node), { instanceOf: Fault });
  await t.throwsAsync(frontierAt(0.5, node), { instanceOf: Fault });
  t.deepEqual(new Frontier().root(), EMPTY_ROOT);
});
