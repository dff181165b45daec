import { parseNote } from '../checkpoints/checkpoint.ts';
import { CompactRange, type CompletedNode } from '../tree/compact-range.ts';
import { HASH_BYTES } from '../tree/merkle.ts';
import { TILE_BYTES, TILE_HEIGHT, TILE_WIDTH } from '../tree/tiles.ts';
import { type HeldNote, judgeNotes, type SignedRoot, type Trust } from './held-notes.ts';
import type { LiveSource } from './live-source.ts';
import { TreeJudge } from './tree-judge.ts';
import { Findings, type Outcome } from './verdict.ts';
import type { RowsJob } from './verify-jobs.ts';
import { inOrder, type VerifyPool, verifyHere } from './verify-pool.ts';

export interface VerifyLiveOptions extends Trust {
  readonly held?: readonly HeldNote[];
  readonly pool?: VerifyPool;
  readonly onProgress?: (entriesDone: number, entriesTotal: number) => void;
}

/** Entries read at once: a few tiles, so that reading never holds the event loop for long. */
const TILES_PER_JOB = 4;

/**
 * Judges the stored ledger (L14): entries against tiles, tiles against one another and against every signed root. Entries that
 * came after the newest checkpoint are counted, not judged; a server may go on writing meanwhile.
 */
export async function verifyLive(source: LiveSource, options: VerifyLiveOptions): Promise<Outcome> {
  const findings = new Findings();
  const { pool = verifyHere } = options;
  const rows = await source.checkpoints();
  for (const { size, note } of rows) {
    const stated = parseNote(note)?.checkpoint.size;
    if (stated !== undefined && stated !== size) {
      findings.tampered(`The checkpoint stored under size ${size} is of size ${stated}.`, { checkpoint: size });
    }
  }
  const own = await judgeNotes(rows, options, pool, findings);
  const brought = await judgeNotes(options.held ?? [], options, pool, findings);
  const roots = [...own, ...brought];
  const signedSize = Math.max(0, ...roots.map(({ size }) => size));
  const storedSize = await source.storedSize();
  findings.counts.size = signedSize;
  findings.counts.beyond = Math.max(0, storedSize - signedSize);
  if (roots.length === 0) findings.undecided('No checkpoint has been signed yet.');
  const treeSize = await source.treeSize();
  const ownSize = own.at(-1)?.size ?? 0;
  if (treeSize < ownSize) findings.tampered(`The tree has ${treeSize} entries, but ${ownSize} were signed.`);
  if (treeSize > storedSize) findings.tampered('Entries that stand in the tree are missing.', { seq: storedSize });
  await judgeTables(source, { ...options, roots, signedSize, pool }, findings);
  return findings.outcome();
}

interface TablesCase extends Pick<VerifyLiveOptions, 'onProgress'> {
  readonly roots: readonly SignedRoot[];
  readonly signedSize: number;
  readonly pool: VerifyPool;
}

async function judgeTables(source: LiveSource, tables: TablesCase, findings: Findings): Promise<void> {
  const { roots, signedSize, pool, onProgress } = tables;
  const [first] = await source.entries(0, 1);
  const from = first === undefined ? 0 : Math.min(first.seq, signedSize);
  if (from % TILE_WIDTH !== 0) {
    findings.tampered('The first entries are missing, and not by whole tiles as a removal takes them.', { seq: 0 });
    return;
  }
  const tiles = new NodeCheck(source, findings);
  const start = new CompactRange();
  if (!(await pushRemoved(start, from, tiles, findings))) return;
  const judge = new TreeJudge({ start, roots, findings, onNode: tiles.await });
  findings.counts.from = from;
  findings.counts.to = signedSize;
  findings.counts.checkpointsBySignature += roots.filter(({ size }) => size < from).length;
  if (!judge.meetsRoots()) return;
  const sizes = roots.map(({ size }) => size);
  for await (const { result, job } of inOrder(pool, rowsJobs(source, from, signedSize, sizes))) {
    for (const report of result.reports) {
      const good = judge.take(report);
      // A node above the tiles narrows down what a root that differs leaves open.
      if (!(await tiles.hold()) || !good) return;
    }
    if (judge.size < job.from + job.entries.length) return;
    onProgress?.(judge.size - from, signedSize - from);
  }
  if (judge.size < signedSize) findings.tampered(`Entry ${judge.size} is missing.`, { seq: judge.size });
  else if (from > 0 && !judge.explainsHole(from)) {
    findings.tampered(`The entries before ${from} are missing, and no entry tells of their removal.`, { seq: 0 });
  }
}

/** Reads until an entry is missing or all that is signed has been read. */
async function* rowsJobs(
  source: LiveSource,
  start: number,
  signedSize: number,
  sizes: readonly number[],
): AsyncGenerator<RowsJob> {
  let from = start;
  while (from < signedSize) {
    const wanted = Math.min(TILES_PER_JOB * TILE_WIDTH, signedSize - from);
    const rows = await source.entries(from, wanted);
    const gap = rows.findIndex(({ seq }, index) => seq !== from + index);
    const entries = rows.slice(0, gap < 0 ? wanted : gap).map(({ entry }) => entry);
    const positions = Array.from({ length: Math.ceil(entries.length / TILE_WIDTH) }, (_, index) => index);
    const tiles = await Promise.all(positions.map((index) => source.tile(0, from / TILE_WIDTH + index)));
    yield { kind: 'rows', from, entries, tiles, sizes };
    if (entries.length < wanted) return;
    from += wanted;
  }
}

/** What was removed stands for itself in the tiles above: 32 bytes for each 256 entries. */
async function pushRemoved(start: CompactRange, size: number, tiles: NodeCheck, findings: Findings): Promise<boolean> {
  for (let position = 0; position < size / TILE_WIDTH; position += 1) {
    const hash = await tiles.stored(1, position);
    if (hash === undefined) {
      findings.tampered('The first entries are missing, and so are the hashes that stay when entries are removed.', {
        seq: 0,
      });
      return false;
    }
    start.push(TILE_HEIGHT, hash, tiles.await);
    if (!(await tiles.hold())) return false;
  }
  return true;
}

/** Compares nodes that were computed with those stored in tiles of the levels above the leaves. */
class NodeCheck {
  readonly #source: LiveSource;
  readonly #findings: Findings;
  readonly #awaiting: CompletedNode[] = [];
  /** The tile last read, by level: nodes come from left to right. */
  readonly #tiles = new Map<number, { readonly position: number; readonly hashes: Uint8Array | undefined }>();

  constructor(source: LiveSource, findings: Findings) {
    this.#source = source;
    this.#findings = findings;
  }

  readonly await = (node: CompletedNode): void => {
    if (node.height % TILE_HEIGHT === 0) this.#awaiting.push(node);
  };

  /** Whether all nodes computed since the last call stand in their tiles. */
  async hold(): Promise<boolean> {
    for (const { height, position, hash } of this.#awaiting.splice(0)) {
      const stored = await this.stored(height / TILE_HEIGHT, position);
      if (stored?.equals(hash)) continue;
      const between = { from: position * 2 ** height, to: (position + 1) * 2 ** height };
      this.#findings.tampered('A node of the tree is not the one that its entries give.', { between });
      return false;
    }
    return true;
  }

  /** The node at `position` of a tile level, as it is stored. */
  async stored(level: number, position: number): Promise<Buffer | undefined> {
    const tilePosition = Math.floor(position / TILE_WIDTH);
    let tile = this.#tiles.get(level);
    if (tile?.position !== tilePosition) {
      tile = { position: tilePosition, hashes: await this.#source.tile(level, tilePosition) };
      this.#tiles.set(level, tile);
    }
    const at = (position % TILE_WIDTH) * HASH_BYTES;
    const { hashes } = tile;
    if (hashes === undefined || hashes.length % HASH_BYTES !== 0 || hashes.length > TILE_BYTES) return undefined;
    return at < hashes.length ? Buffer.from(hashes.subarray(at, at + HASH_BYTES)) : undefined;
  }
}
