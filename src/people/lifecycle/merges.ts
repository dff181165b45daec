import type { Sealer } from '../../crypto/sealing.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { spellingOf } from '../../proofing/spelling.ts';
import { nowSeconds } from '../../shared/clock.ts';
import { newId } from '../../shared/ids.ts';
import type { Connection, Database, Transaction } from '../../storage/database.ts';
import type { NightlyJob } from '../../storage/nightly-job.ts';
import type { IdentityDocument } from '../documents/document.ts';
import { factsOfDocument } from '../documents/parse.ts';
import type { Asked } from '../held-documents.ts';
import { numberContext, personContext } from '../person.ts';
import type { Holdings, MergePair, Moved, MoveRefusal } from './holdings.ts';
import { shredIn } from './shredding.ts';

/**
 * `changed`: one of the two is not open any more, or was merged at this very moment. `other_person`: they hold what no one person holds
 * together: two citizen numbers, two birth dates, two names.
 */
export type MergeRefusal = MoveRefusal | 'same_account' | 'changed' | 'other_person';
export type MergeOutcome =
  | { readonly ok: true; readonly mergeId: string; readonly undoUntil: number }
  | { readonly ok: false; readonly reason: MergeRefusal };

/** `late`: it cannot be undone any more, or never was there for this person. */
export type UndoRefusal = MoveRefusal | 'late' | 'changed';
export type UndoOutcome = ({ readonly ok: true } & MergePair) | { readonly ok: false; readonly reason: UndoRefusal };

/** Epoch seconds. */
export interface Merge extends MergePair {
  readonly id: string;
  readonly state: 'open' | 'undone' | 'final';
  readonly mergedAt: number;
  readonly undoUntil: number;
}

/** Makes one of two accounts of one person, both proven by whoever asks, and takes it back. Never because of a phone or a mailbox. */
export interface Merges {
  merge(pair: MergePair, asked: Asked): Promise<MergeOutcome>;
  /** `keptId`: only merges into this account; staff leaves it out. */
  undo(mergeId: string, asked: Asked, keptId?: string): Promise<UndoOutcome>;
  /** Merges this account has part in, the newest first. */
  of(personId: string): Promise<readonly Merge[]>;
  /** Lets go of what was kept for the way back when its time is over. */
  readonly job: NightlyJob;
  /** With the account that was kept goes what had been merged into it. */
  readonly holdings: Holdings;
}

export interface MergeSources {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly ledger: Ledger;
  readonly holdings: readonly Holdings[];
  readonly undoSeconds: number;
  readonly keepSeconds: number;
  readonly tell: (
    tx: Transaction,
    personId: string,
    notice: 'accounts-merged' | 'merge-undone',
    undoUntil: number,
  ) => Promise<void>;
  readonly forget: (personId: string) => void;
  readonly endAll: (personId: string, cause: string) => Promise<unknown>;
}

const HOLD = 'UPDATE persons SET updated_at = $1 WHERE id = $2 AND status = $3';
const LEVEL = 'SELECT ial FROM persons WHERE id = $1';
const SET = 'UPDATE persons SET status = $1, ial = $2, updated_at = $3 WHERE id = $4';
const BEST =
  'SELECT verified_level AS best FROM identity_documents WHERE person_id = $1 ORDER BY verified_level DESC LIMIT 1';
const NAME = 'SELECT name_sealed FROM persons WHERE id = $1';
const DOCUMENTS = 'SELECT id, type, issuer, number_sealed FROM identity_documents WHERE person_id = $1';
const INSERT = `INSERT INTO person_merges (id, kept_id, merged_id, state, record_sealed, merged_at, undo_until, ended_at)
  VALUES ($1, $2, $3, 'open', $4, $5, $6, NULL)`;
const COLUMNS = 'id, kept_id, merged_id, state, record_sealed, merged_at, undo_until';
const FIND = `SELECT ${COLUMNS} FROM person_merges WHERE id = $1`;
const OF = `SELECT ${COLUMNS} FROM person_merges WHERE kept_id = $1 OR merged_id = $1 ORDER BY id DESC`;
const OPEN_INTO = `SELECT ${COLUMNS} FROM person_merges WHERE kept_id = $1 AND state = 'open'`;
const END = `UPDATE person_merges SET state = $1, record_sealed = NULL, ended_at = $2 WHERE id = $3 AND state = 'open'`;
const DUE = `SELECT ${COLUMNS} FROM person_merges WHERE state = 'open' AND undo_until <= $1 AND id > $2 ORDER BY id LIMIT $3`;
const COUNT = `SELECT count(*) AS total FROM person_merges WHERE state = 'open' AND undo_until <= $1`;

interface MergeRow {
  readonly id: string;
  readonly kept_id: string;
  readonly merged_id: string;
  readonly state: Merge['state'];
  readonly record_sealed: Uint8Array | null;
  readonly merged_at: number;
  readonly undo_until: number;
}

/** What is kept sealed for the way back. */
interface Kept {
  readonly levelBefore: number;
  readonly moved: Readonly<Record<string, Moved>>;
}

const contextOf = (id: string): string => `person_merges:record_sealed:${id}`;
const mergeOf = (row: MergeRow): Merge => ({
  id: row.id,
  keptId: row.kept_id,
  mergedId: row.merged_id,
  state: row.state,
  mergedAt: Number(row.merged_at),
  undoUntil: Number(row.undo_until),
});

/** Thrown within a transaction, so that nothing of it stays, and caught around it. */
class Refused<Reason extends string> extends Error {
  readonly reason: Reason;

  constructor(reason: Reason) {
    super(reason);
    this.reason = reason;
  }
}

const levelOf = async (tx: Transaction, id: string): Promise<number> =>
  Number((await tx.get<{ ial: number }>(LEVEL, [id]))?.ial ?? 0);

/** Both rows, always in one order: two merges at once have one winner and do not wait for one another. */
async function holdBoth(tx: Transaction, { keptId, mergedId }: MergePair, mergedStatus: string): Promise<boolean> {
  for (const id of [keptId, mergedId].sort()) {
    const status = id === mergedId ? mergedStatus : 'active';
    if ((await tx.run(HOLD, [nowSeconds(), id, status])) === 0) return false;
  }
  return true;
}

/** One person has one citizen number, one birth date and one name, as far as they are known. */
async function isOnePerson(tx: Connection, sealer: Sealer, { keptId, mergedId }: MergePair): Promise<boolean> {
  const names = new Set<string>();
  const births = new Set<string>();
  const numbers = new Set<string>();
  for (const id of [keptId, mergedId]) {
    const row = await tx.get<{ name_sealed: Uint8Array | null }>(NAME, [id]);
    if (row?.name_sealed) names.add(spellingOf(sealer.unseal(row.name_sealed, personContext('name_sealed', id))));
    const held = await tx.all<{ id: string; type: string; issuer: string; number_sealed: Uint8Array }>(DOCUMENTS, [id]);
    for (const { id: documentId, type, issuer, number_sealed: sealed } of held) {
      const number = sealer.unseal(sealed, numberContext(documentId));
      const { birthDate } = factsOfDocument({ type, issuer, number } as IdentityDocument);
      if (birthDate !== undefined) births.add(birthDate);
      if (type === 'resident_id_card' || type === 'hmt_residence_permit') numbers.add(number);
    }
  }
  return names.size <= 1 && births.size <= 1 && numbers.size <= 1;
}

export function createMerges(sources: MergeSources): Merges {
  const { database, sealer, ledger, holdings, undoSeconds, tell, forget, endAll } = sources;

  const attempt = async <Outcome, Reason extends string>(
    pair: MergePair,
    work: (tx: Transaction) => Promise<Outcome>,
  ): Promise<Outcome | { readonly ok: false; readonly reason: Reason }> => {
    try {
      return await database.write(work);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { ok: false, reason: error.reason as Reason };
    } finally {
      forget(pair.keptId);
      forget(pair.mergedId);
    }
  };

  const mergeIn = async (tx: Transaction, pair: MergePair, { origin, ...from }: Asked): Promise<MergeOutcome> => {
    const { keptId, mergedId } = pair;
    if (!(await holdBoth(tx, pair, 'active'))) throw new Refused('changed');
    if (!(await isOnePerson(tx, sealer, pair))) throw new Refused('other_person');
    const mergeId = newId('mrg');
    const mergedAt = nowSeconds();
    const undoUntil = mergedAt + undoSeconds;
    // Told before anything goes over: over what each of the two could be reached by until now.
    for (const id of [keptId, mergedId]) await tell(tx, id, 'accounts-merged', undoUntil);
    const levelBefore = await levelOf(tx, keptId);
    const mergedLevel = await levelOf(tx, mergedId);
    const moved: Record<string, Moved> = {};
    const counts: Record<string, number> = { documents: 0, identifiers: 0, consents: 0, posts: 0, mandates: 0 };
    for (const holding of holdings) {
      const outcome = await holding.move(tx, pair);
      if (!outcome.ok) throw new Refused(outcome.reason);
      moved[holding.name] = outcome.moved;
      Object.assign(counts, outcome.counts);
    }
    const levelAfter = Math.max(levelBefore, mergedLevel);
    await tx.run(SET, ['active', levelAfter, mergedAt, keptId]);
    await tx.run(SET, ['merged', mergedLevel, mergedAt, mergedId]);
    const record: Kept = { levelBefore, moved };
    const sealed = sealer.seal(JSON.stringify(record), contextOf(mergeId));
    await tx.run(INSERT, [mergeId, keptId, mergedId, sealed, mergedAt, undoUntil]);
    const details = { origin, merge: mergeId, kept: keptId, merged: mergedId, levelBefore, levelAfter, ...counts };
    for (const personId of [keptId, mergedId]) {
      await ledger.append(tx, { ...from, type: 'person.merged', personId, details });
    }
    return { ok: true, mergeId, undoUntil };
  };

  const undoIn = async (tx: Transaction, row: MergeRow, { origin, ...from }: Asked): Promise<UndoOutcome> => {
    const pair = { keptId: row.kept_id, mergedId: row.merged_id };
    const { keptId, mergedId } = pair;
    if (!(await holdBoth(tx, pair, 'merged'))) throw new Refused('changed');
    if ((await tx.run(END, ['undone', nowSeconds(), row.id])) === 0) throw new Refused('late');
    const { moved, levelBefore: ownLevel } = JSON.parse(sealer.unseal(row.record_sealed!, contextOf(row.id))) as Kept;
    for (const holding of holdings.toReversed()) {
      const outcome = await holding.moveBack(tx, pair, moved[holding.name] ?? {});
      if (!outcome.ok) throw new Refused(outcome.reason);
    }
    const levelBefore = await levelOf(tx, keptId);
    // What was proven meanwhile by a document that stays counts; what came with the other account goes with it.
    const best = Number((await tx.get<{ best: number | null }>(BEST, [keptId]))?.best ?? 0);
    const levelAfter = Math.min(levelBefore, Math.max(ownLevel, best));
    await tx.run(SET, ['active', levelAfter, nowSeconds(), keptId]);
    await tx.run(SET, ['active', await levelOf(tx, mergedId), nowSeconds(), mergedId]);
    const details = { origin, merge: row.id, kept: keptId, merged: mergedId, levelBefore, levelAfter };
    for (const personId of [keptId, mergedId]) {
      await ledger.append(tx, { ...from, type: 'person.merge-undone', personId, details });
      await tell(tx, personId, 'merge-undone', Number(row.undo_until));
    }
    return { ok: true, ...pair };
  };

  /** In the transaction of whatever makes the way back impossible. */
  const finish = async (tx: Transaction, row: MergeRow, all: readonly Holdings[]): Promise<boolean> => {
    if ((await tx.run(END, ['final', nowSeconds(), row.id])) === 0) return false;
    await shredIn(tx, row.merged_id, 'merged', { holdings: all, keepSeconds: sources.keepSeconds });
    const details = { merge: row.id, kept: row.kept_id };
    await ledger.append(tx, { type: 'person.merge-final', actor: 'system', personId: row.merged_id, details });
    return true;
  };

  const own: Holdings = {
    name: 'merges',
    async move() {
      return { ok: true, moved: {}, counts: {} };
    },
    async moveBack() {
      return { ok: true };
    },
    async shred(tx, personId) {
      for (const row of await tx.all<MergeRow>(OPEN_INTO, [personId])) await finish(tx, row, [...holdings, own]);
    },
  };

  const refused = (personId: string, other: string, reason: string, { origin: _origin, ...from }: Asked) =>
    ledger.record({
      ...from,
      type: 'person.merge-refused',
      outcome: 'failure',
      personId,
      details: { reason, with: other },
    });

  return {
    holdings: own,
    async merge(pair, asked) {
      const { keptId, mergedId } = pair;
      if (keptId === mergedId) return { ok: false, reason: 'same_account' };
      const outcome = await attempt<MergeOutcome, MergeRefusal>(pair, (tx) => mergeIn(tx, pair, asked));
      if (outcome.ok) await endAll(mergedId, 'account_merged');
      else await refused(keptId, mergedId, outcome.reason, asked);
      return outcome;
    },

    async undo(mergeId, asked, keptId) {
      const row = await database.get<MergeRow>(FIND, [mergeId]);
      if (row === undefined || (keptId !== undefined && row.kept_id !== keptId)) return { ok: false, reason: 'late' };
      if (row.state !== 'open' || Number(row.undo_until) <= nowSeconds()) return { ok: false, reason: 'late' };
      const pair = { keptId: row.kept_id, mergedId: row.merged_id };
      // What was begun in the very moment of the merge must not live again.
      await endAll(pair.mergedId, 'account_merged');
      const outcome = await attempt<UndoOutcome, UndoRefusal>(pair, (tx) => undoIn(tx, row, asked));
      // What portals hold of the one may rest on what is the other's again: both sign in anew.
      if (outcome.ok) await endAll(pair.keptId, 'merge_undone');
      else await refused(pair.keptId, pair.mergedId, outcome.reason, asked);
      return outcome;
    },

    of: async (personId) => (await database.all<MergeRow>(OF, [personId])).map(mergeOf),

    job: {
      name: 'merges',
      perSecond: 20,
      async count() {
        return Number((await database.get<{ total: number }>(COUNT, [nowSeconds()]))?.total ?? 0);
      },
      async step(cursor, limit) {
        const rows = await database.all<MergeRow>(DUE, [nowSeconds(), cursor ?? '', limit]);
        let final = 0;
        for (const row of rows) {
          await endAll(row.merged_id, 'account_merged');
          if (await database.write((tx) => finish(tx, row, [...holdings, own]))) final += 1;
        }
        const last = rows.length < limit ? undefined : rows.at(-1)?.id;
        return { cursor: last, handled: rows.length, asked: rows.length, counts: { final } };
      },
    },
  };
}
