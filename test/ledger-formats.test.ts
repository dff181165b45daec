import { createHash } from 'node:crypto';
import test from 'ava';
import { keyIdOf, signNote, verifyNote } from '../src/ledger/checkpoints/checkpoint.ts';
import { verifyProofFile, writeProofFile } from '../src/ledger/checkpoints/proof-file.ts';
import { commitment } from '../src/ledger/entry.ts';
import { Frontier, inclusionProof, leafHash, leafOf, type NodeReader } from '../src/ledger/tree/merkle.ts';
import {
  bundlePath,
  decodeBundle,
  encodeBundle,
  nodeFromTiles,
  parseTilePath,
  TILE_BYTES,
  tilePath,
} from '../src/ledger/tree/tiles.ts';
import { Fault } from '../src/shared/fault.ts';
import { CHECKPOINT, ENTRIES, LEAVES, ledgerKey, NOTE, ORIGIN, ROOT, SALT, signer } from './support/ledger-vectors.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('L18 the worked example: commitment, leaves, roots, key id, bundle and signature', (t) => {
  t.is(commitment('ip', SALT, '192.0.2.1'), 'c:uKX1hwGF9bvUBl3cpmzVS7Bx7UlyrBkxfmEf4Y5/8+8=');
  t.deepEqual(LEAVES.map(hex), [
    '99361608958d7ab80eb98bb86aa64672e6cfddbfc5156a9c1b70580a77777de1',
    '6402a9df1a02e34543b3fab86ca0b48fc2d5d86e9ea4490b859e715350ee4188',
    'bc4699bcd7b5db60afd89fdde45a83cb0e35d4fd843a4be52305bfd9aa7a825f',
  ]);
  const frontier = new Frontier();
  t.is(hex(frontier.root()), '1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b');
  frontier.append(LEAVES[0]!);
  frontier.append(LEAVES[1]!);
  t.is(hex(frontier.root()), 'b5be44a68a5a588baaa460c7f70bb4a5505c9581be56df2d7ed911e471c395dd');
  frontier.append(LEAVES[2]!);
  t.deepEqual(frontier.root(), ROOT);
  t.is(hex(keyIdOf(ORIGIN, 'sm2-sm3', signer.publicKey)), '61db2cd0');
  const bundle = encodeBundle(ENTRIES.map((entry, seq) => leafOf(seq, entry)));
  t.is(bundle.length, 622);
  t.is(
    createHash('sm3').update(bundle).digest('hex'),
    '2400b10d7cedb1944f2e1fc5d21ac65cd0386cf64f3263be685747b23edc43d0',
  );
  t.deepEqual(verifyNote(NOTE, ledgerKey), CHECKPOINT);
});

test('L4 tile paths are those of the format, and no other spelling is read', (t) => {
  const written: readonly (readonly [string, string])[] = [
    [tilePath(0, 0), 'tile/0/000'],
    [tilePath(0, 999), 'tile/0/999'],
    [tilePath(1, 1000), 'tile/1/x001/000'],
    [tilePath(2, 1_234_067), 'tile/2/x001/x234/067'],
    [tilePath(0, 5, 1), 'tile/0/005.p/1'],
    [tilePath(6, 12, 255), 'tile/6/012.p/255'],
    [tilePath(0, 5, 256), 'tile/0/005'],
    [tilePath(0, 2 ** 53 - 1), 'tile/0/x009/x007/x199/x254/x740/991'],
    [bundlePath(0), 'tile/entries/000'],
    [bundlePath(1_234_067, 17), 'tile/entries/x001/x234/067.p/17'],
  ];
  for (const [path, expected] of written) {
    t.is(path, expected);
    const { level, position, width } = parseTilePath(path)!;
    t.is(level === 'entries' ? bundlePath(position, width) : tilePath(level, position, width), path);
  }
  t.deepEqual(parseTilePath('tile/entries/x001/x234/067.p/17'), { level: 'entries', position: 1_234_067, width: 17 });
  t.deepEqual(parseTilePath('tile/2/005'), { level: 2, position: 5, width: 256 });
  const refused = [
    '',
    'tile',
    '/tile/0/000',
    'tile/0/000/',
    'tile/0/0',
    'tile/0/0000',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001',
    'tile/0/X001/002',
    'tile/00/000',
    'tile/7/000',
    'tile/-1/000',
    'tile/Entries/000',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/1000',
    'tile/0/000.p/',
    'tile/0/000.p/1/',
    'tile/0/000\n',
    'tile/0/٠٠١',
    'tile/0/x009/x007/x199/x254/x740/992',
    'tile/0/x001/x000/x000/x000/x000/x000/000',
    `tile/0/${'x001/'.repeat(10_000)}001`,
    'tile/0/../0/000',
  ];
  for (const path of refused) t.is(parseTilePath(path), undefined, path.slice(0, 80));
  for (const [level, position, width] of [
    [-1, 0, 256],
    [7, 0, 256],
    [0.5, 0, 256],
    [0, -1, 256],
    [0, 2 ** 53, 256],
    [0, 0, 0],
    [0, 0, 257],
  ] as const) {
    t.throws(() => tilePath(level, position, width), { instanceOf: Fault });
  }
});

test('L4 a bundle gives back its leaves, and nothing that is not exactly a bundle is read', (t) => {
  const leaves = Array.from({ length: 256 }, (_, seq) => leafOf(seq, 'x'.repeat(1 + seq * 60)));
  for (const count of [1, 2, 255, 256]) {
    const bundle = encodeBundle(leaves.slice(0, count));
    t.deepEqual(decodeBundle(bundle), leaves.slice(0, count));
    t.is(decodeBundle(Buffer.concat([bundle, Buffer.of(0)])), undefined, 'one byte more');
    t.is(decodeBundle(bundle.subarray(0, -1)), undefined, 'one byte less');
  }
  const longest = leafOf(0, 'x'.repeat(16_384));
  t.deepEqual(decodeBundle(encodeBundle([longest])), [longest]);
  const framed = (bytes: Uint8Array): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const tooLong = leafOf(0, 'x'.repeat(16_385));
  t.is(decodeBundle(Buffer.alloc(0)), undefined);
  t.is(decodeBundle(framed(tooLong)), undefined);
  t.is(decodeBundle(framed(leafOf(0, ''))), undefined, 'a leaf without an entry');
  t.is(decodeBundle(Buffer.from('ffffffff', 'hex')), undefined);
  t.is(decodeBundle(Buffer.concat([...leaves, leaves[0]!].map(framed))), undefined, '257 leaves');
  for (const wrong of [[], [...leaves, leaves[0]!], [tooLong], [leafOf(0, '')]]) {
    t.throws(() => encodeBundle(wrong), { instanceOf: Fault });
  }
});

test('L4 nodes of every height are read out of tiles, and a tile too short is a mismatch', async (t) => {
  const size = 66_000;
  const frontier = new Frontier();
  const tiles = new Map<string, Buffer>();
  const complete: { readonly height: number; readonly position: number; readonly hash: Buffer }[] = [];
  for (let seq = 0; seq < size; seq += 1) {
    frontier.append(leafHash(seq, 'x'), (height, position, hash) => {
      if (height > 0 && position % 7 === 0) complete.push({ height, position, hash });
      if (height % 8 !== 0) return;
      const name = tilePath(height / 8, Math.floor(position / 256));
      const tile = tiles.get(name) ?? Buffer.alloc(TILE_BYTES);
      hash.copy(tile, (position % 256) * 32);
      tiles.set(name, tile);
    });
  }
  const widthOf = (level: number, position: number): number =>
    Math.min(256, Math.floor(size / 256 ** level) - position * 256) * 32;
  const node: NodeReader = nodeFromTiles(async (level, position) =>
    tiles.get(tilePath(level, position))?.subarray(0, widthOf(level, position)),
  );
  for (const { height, position, hash } of complete) {
    if (height > 4 || position % 210 === 0) t.deepEqual(await node(height, position), hash, `${height}/${position}`);
  }
  t.is(complete.at(-1)?.height !== undefined && Math.max(...complete.map(({ height }) => height)), 16);
  const index = 65_999;
  const proof = await inclusionProof(index, size, node);
  const note = await signNote({ origin: ORIGIN, size, root: frontier.root() }, signer);
  t.truthy(verifyProofFile(writeProofFile({ index, hashes: proof, note }), 'x', ledgerKey));
  for (const [height, position] of [
    [0, size],
    [4, Math.floor(size / 16)],
    [8, 257],
    [17, 0],
    [24, 0],
  ] as const) {
    const fault = await t.throwsAsync(node(height, position), { instanceOf: Fault }, `${height}/${position}`);
    t.is(fault?.code, 'ledger_mismatch');
  }
});
