import { hashBytes } from '../auditing/export-format.ts';
import type { LedgerEntry } from '../entry.ts';
import type { CompactRange, CompletedNode } from '../tree/compact-range.ts';
import { HASH_BYTES } from '../tree/merkle.ts';
import { TILE_HEIGHT, TILE_WIDTH } from '../tree/tiles.ts';
import type { SignedRoot } from './held-notes.ts';
import type { EntryFault, TileReport } from './tile-judge.ts';
import { TimeOrder } from './time-order.ts';
import type { Findings } from './verdict.ts';

/** What an `audit.prune` entry says was removed. */
interface Prune {
  readonly from: number;
  readonly to: number;
}

export interface TreeJudgeSources {
  /** What lies before the first entry. */
  readonly start: CompactRange;
  readonly roots: readonly SignedRoot[];
  readonly findings: Findings;
  /** Told of every node that becomes complete at the height of a tile or above. */
  readonly onNode?: (node: CompletedNode) => void;
}

/**
 * Joins the tiles of a ledger, in order, into its tree: compares the root wherever somebody signed one, watches the dates, and
 * takes note of what the ledger says about its own removals. Stops at the first entry that is wrong.
 */
export class TreeJudge {
  readonly #range: CompactRange;
  readonly #start: { readonly size: number; readonly root: Buffer };
  readonly #roots: ReadonlyMap<number, readonly SignedRoot[]>;
  readonly #findings: Findings;
  readonly #onNode: ((node: CompletedNode) => void) | undefined;
  readonly #order = new TimeOrder();
  readonly #prunes: Prune[] = [];
  #matched: number;

  constructor({ start, roots, findings, onNode }: TreeJudgeSources) {
    this.#range = start;
    this.#start = { size: start.size, root: start.root() };
    this.#roots = Map.groupBy(roots, ({ size }) => size);
    this.#findings = findings;
    this.#onNode = onNode;
    this.#matched = start.size;
  }

  /** Entries joined so far, with what lies before them. */
  get size(): number {
    return this.#range.size;
  }

  /** Compares the root at the present size with those signed for it. False when one differs. */
  meetsRoots(): boolean {
    const signed = this.#roots.get(this.size);
    if (signed === undefined) return true;
    const root = this.#range.root();
    if (signed.every((one) => one.root.equals(root))) {
      this.#matched = this.size;
      return true;
    }
    const between = { from: this.#matched, to: this.size };
    this.#findings.tampered(
      `The root over ${this.size} entries is not the one that was signed.`,
      between.from < between.to ? { checkpoint: this.size, between } : { checkpoint: this.size },
    );
    return false;
  }

  /** Joins the next tile. False when something in it is wrong and the rest cannot be judged. */
  take(report: TileReport): boolean {
    const fault = this.#firstFault(report);
    const end = fault?.seq ?? report.from + report.count;
    for (const { seq, type, entry } of report.telling) {
      if (seq >= end) break;
      if (type === 'clock.step') this.#findings.counts.clockSteps += 1;
      else if (!this.#takePrune(seq, entry)) return false;
    }
    if (!this.#join(report, end)) return false;
    this.#findings.counts.entries += end - report.from;
    this.#findings.counts.openings += report.openingCount;
    if (fault === undefined) return true;
    this.#findings.tampered(fault.reason, { seq: fault.seq });
    return false;
  }

  /** Adds whole subtrees that lie behind the last entry. */
  push(height: number, hash: Buffer): void {
    this.#range.push(height, hash);
  }

  /** Whether the ledger itself tells that everything before number `size` was removed. */
  explainsHole(size: number): boolean {
    let reached = 0;
    for (const { from, to } of this.#prunes.toSorted((left, right) => left.from - right.from)) {
      if (from <= reached && to > reached) reached = to;
    }
    return reached >= size;
  }

  #firstFault({ from, count, times, nodes, nodeOf, telling, fault }: TileReport): EntryFault | undefined {
    let told = 0;
    for (let index = 0; index < count; index += 1) {
      const seq = from + index;
      if (fault !== undefined && seq >= fault.seq) break;
      const type = telling[told]?.seq === seq ? telling[told++]!.type : undefined;
      const node = nodes[nodeOf === undefined ? 0 : nodeOf[index]!] ?? '';
      if (this.#order.allows(times[index]!, node, type)) continue;
      return {
        seq,
        reason: 'The entry is dated more than five seconds before an earlier one, and no clock step tells why.',
      };
    }
    return fault;
  }

  #join({ from, count, root, leaves }: TileReport, end: number): boolean {
    if (leaves === undefined && root !== undefined && end === from + count) {
      this.#range.push(TILE_HEIGHT, Buffer.from(root), this.#onNode);
      return this.meetsRoots();
    }
    // A tile that is wrong somewhere comes without its leaves; then no root within it can be told.
    if (leaves === undefined) return true;
    const bytes = Buffer.from(leaves.buffer, leaves.byteOffset, leaves.byteLength);
    for (let index = 0; index < end - from; index += 1) {
      this.#range.push(0, bytes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES), this.#onInnerNode);
      if (!this.meetsRoots()) return false;
    }
    return true;
  }

  readonly #onInnerNode = (node: CompletedNode): void => {
    if (node.height >= TILE_HEIGHT) this.#onNode?.(node);
  };

  #takePrune(seq: number, { data }: LedgerEntry): boolean {
    const { from, to, root, approvers } = data;
    const rootBytes = typeof root === 'string' ? hashBytes(root) : undefined;
    const wellFormed =
      typeof from === 'number' &&
      typeof to === 'number' &&
      from >= 0 &&
      from < to &&
      to <= seq &&
      to % TILE_WIDTH === 0 &&
      rootBytes !== undefined &&
      Array.isArray(approvers) &&
      new Set(approvers).size >= 2;
    if (!wellFormed) {
      this.#findings.tampered('The entry tells of a removal, but not what was removed or not by whose approval.', {
        seq,
      });
      return false;
    }
    if (to === this.#start.size && !rootBytes.equals(this.#start.root)) {
      this.#findings.tampered('The entry tells of a removal with another root than that of what is missing.', { seq });
      return false;
    }
    this.#prunes.push({ from, to });
    this.#findings.counts.prunes += 1;
    return true;
  }
}
