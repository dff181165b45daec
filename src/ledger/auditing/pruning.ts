import { nowMs, nowSeconds } from '../../shared/clock.ts';
import { Fault } from '../../shared/fault.ts';
import { newId } from '../../shared/ids.ts';
import type { Database } from '../../storage/database.ts';
import type { Ledger } from '../ledger.ts';
import { type LedgerReader, READ_MAX } from '../reader.ts';
import { timeOf } from '../sequencing/ledger-standing.ts';
import { frontierAt } from '../tree/merkle.ts';
import { TILE_WIDTH } from '../tree/tiles.ts';
import {
  type Actor,
  findProposal,
  insertProposal,
  isSameName,
  labelOf,
  listProposals,
  markApproved,
  markDone,
  type PruneProposal,
} from './prune-proposals.ts';
import { firstStored, REMOVED_AT_ONCE, removeEntries } from './removal.ts';
import { createLedgerSearch, type OnProgress } from './search.ts';
import { signedTree } from './signed-tree.ts';

export type ProposeOutcome =
  | { readonly ok: true; readonly proposal: PruneProposal; readonly from: number }
  /** Entries dated after `latestMs` must be kept. */
  | { readonly ok: false; readonly reason: 'too_young'; readonly latestMs: number }
  /** No whole tile of entries is old enough. */
  | { readonly ok: false; readonly reason: 'nothing' };

export type ApproveOutcome =
  | { readonly ok: true; readonly proposal: PruneProposal; readonly resumed: boolean }
  | { readonly ok: false; readonly reason: 'unknown' | 'done' | 'same_name' | 'outdated' | 'raced' | 'untold' }
  /** This entry of those to be removed is not past its retention. */
  | { readonly ok: false; readonly reason: 'too_young'; readonly seq: number }
  | { readonly ok: false; readonly reason: 'unsound'; readonly sentence: string };

export interface PruneWish {
  /** Entries dated before this moment are to be removed. */
  readonly beforeMs: number;
  /** Not above this number: the size of a checkpoint that a witness holds. */
  readonly ceiling?: number | undefined;
  readonly by: Actor;
  readonly reason: string;
}

/** Removes what is past its retention, after two people wanted it, and leaves an entry that says so (L13, S2). */
export interface Pruning {
  propose(wish: PruneWish, onProgress?: OnProgress): Promise<ProposeOutcome>;
  /**
   * Approves a proposal in another name. `judge` verifies the ledger and resolves with what is wrong: what is removed cannot be
   * verified afterwards. On success the `audit.prune` entry stands in the ledger and the first entries are gone, both in one
   * transaction. A proposal that was approved before and not finished is simply taken up again.
   */
  approve(id: string, by: Actor, judge: () => Promise<string | undefined>): Promise<ApproveOutcome>;
  /** Removes the rest of an approved proposal, a few tiles at a time; may be stopped anywhere and called again. */
  finish(proposal: PruneProposal, onProgress?: OnProgress): Promise<void>;
  list(): Promise<readonly PruneProposal[]>;
}

export interface PruningSources {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly reader: LedgerReader;
  readonly retentionDays: number;
}

const DAY_MS = 86_400_000;

export function createPruning({ database, ledger, reader, retentionDays }: PruningSources): Pruning {
  const latestMs = (): number => nowMs() - retentionDays * DAY_MS;

  /** The first entry of a span dated at `ms` or later, or not dated at all. Every one is looked at: dates are not quite in order. */
  const firstDatedFrom = async (
    ms: number,
    { start, end }: { readonly start: number; readonly end: number },
    onProgress?: OnProgress,
  ): Promise<number> => {
    for (let from = start; from < end; from += READ_MAX) {
      const entries = await reader.read(from, Math.min(READ_MAX, end - from));
      const kept = entries.find(({ entry }) => !((timeOf(entry) ?? Infinity) < ms));
      if (kept !== undefined) return kept.seq;
      onProgress?.(from - start, end - start);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return end;
  };

  /** Whether the ledger itself says so: a row that only claims to be approved removes nothing. */
  const isTold = async ({ to, approvedBy }: PruneProposal): Promise<boolean> => {
    for await (const { entry } of createLedgerSearch(reader).matches({ types: ['audit.prune'] })) {
      const { data } = entry;
      const approvers = Array.isArray(data.approvers) ? data.approvers : [];
      if (data.to === to && approvedBy !== null && approvers.includes(approvedBy)) return true;
    }
    return false;
  };

  const begin = async (proposal: PruneProposal, by: Actor): Promise<ApproveOutcome> => {
    const tree = await signedTree(database);
    const start = await firstStored(database);
    const { id, to } = proposal;
    // The last signed entry stays whatever its date: the numbers go on from it.
    if (tree === undefined || to <= start || to >= tree.size || to % TILE_WIDTH !== 0) {
      return { ok: false, reason: 'outdated' };
    }
    const root = (await frontierAt(to, tree.node)).root().toString('base64');
    const approvers = [proposal.proposedBy, labelOf(by)];
    return database.write(async (tx): Promise<ApproveOutcome> => {
      if (!(await markApproved(tx, id, labelOf(by), nowSeconds()))) return { ok: false, reason: 'raced' };
      // From 0 on: when a later removal takes this entry away, its own entry vouches for everything before.
      await ledger.append(tx, { type: 'audit.prune', details: { from: 0, to, root, approvers } });
      await removeEntries(tx, database.engine, { start, end: Math.min(to, start + REMOVED_AT_ONCE) });
      return { ok: true, proposal: { ...proposal, approvedBy: labelOf(by) }, resumed: false };
    });
  };

  return {
    async propose({ beforeMs, ceiling, by, reason }, onProgress) {
      if (beforeMs > latestMs()) return { ok: false, reason: 'too_young', latestMs: latestMs() };
      const start = await firstStored(database);
      const end = await reader.signedSize();
      const kept = Math.min(await firstDatedFrom(beforeMs, { start, end }, onProgress), end - 1, ceiling ?? end);
      const to = kept - (kept % TILE_WIDTH);
      if (to <= start) return { ok: false, reason: 'nothing' };
      const proposal: PruneProposal = {
        id: newId('prune'),
        to,
        reason,
        proposer: by.name,
        proposedBy: labelOf(by),
        proposedAt: nowSeconds(),
        approvedBy: null,
        approvedAt: null,
        doneAt: null,
      };
      await database.write(async (tx) => {
        await insertProposal(tx, proposal);
        const details = { proposal: proposal.id, from: start, to, reason };
        await ledger.append(tx, { type: 'audit.prune-proposed', details });
      });
      return { ok: true, proposal, from: start };
    },

    async approve(id, by, judge) {
      const proposal = await findProposal(database, id);
      if (proposal === undefined) return { ok: false, reason: 'unknown' };
      if (proposal.doneAt !== null) return { ok: false, reason: 'done' };
      if (proposal.approvedBy !== null) {
        return (await isTold(proposal)) ? { ok: true, proposal, resumed: true } : { ok: false, reason: 'untold' };
      }
      if (isSameName(proposal.proposer, by.name)) return { ok: false, reason: 'same_name' };
      const span = { start: await firstStored(database), end: proposal.to };
      const young = await firstDatedFrom(latestMs(), span);
      if (young < proposal.to) return { ok: false, reason: 'too_young', seq: young };
      const sentence = await judge();
      return sentence === undefined ? begin(proposal, by) : { ok: false, reason: 'unsound', sentence };
    },

    async finish({ id, to, approvedBy }, onProgress) {
      if (approvedBy === null) throw new Fault('internal', `Nobody has approved the proposal ${id}.`);
      const first = await firstStored(database);
      for (let start = first; start < to; start += REMOVED_AT_ONCE) {
        const end = Math.min(to, start + REMOVED_AT_ONCE);
        await database.write((tx) => removeEntries(tx, database.engine, { start, end }));
        onProgress?.(end - first, to - first);
      }
      await database.write((tx) => markDone(tx, id, nowSeconds()));
    },

    list: () => listProposals(database),
  };
}
