import type { Transaction } from '../../storage/database.ts';

/** A stored checkpoint without its note. */
export interface CheckpointMark {
  readonly size: number;
  readonly at_ms: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** How many of the newest are kept without exception: a minute of a busy ledger. */
const NEWEST_KEPT = 60;
/** How long the first of each hour is kept; the first of each day is kept for ever. */
const HOURS_KEPT_MS = 30 * DAY_MS;
/** A hundred years of days and 30 days of hours are below that. */
const MARKS_MAX = 50_000;

const INSERT = 'INSERT INTO ledger_checkpoints (size, at_ms, note) VALUES ($1, $2, $3)';
const MARKS = 'SELECT size, at_ms FROM ledger_checkpoints ORDER BY size DESC LIMIT $1';
const DELETE = 'DELETE FROM ledger_checkpoints WHERE size = $1';

/**
 * Stores a signed checkpoint and lets go of older ones (`expendable`). Each time only the one that leaves the newest sixty is
 * looked at; all of them with the first of an hour, which is when others come of age.
 */
export async function storeCheckpoint(
  tx: Transaction,
  checkpoint: CheckpointMark & { readonly note: string },
  previousAtMs: number,
): Promise<void> {
  const { size, at_ms: atMs, note } = checkpoint;
  await tx.run(INSERT, [size, atMs, note]);
  const all = hourOf(atMs) !== hourOf(previousAtMs);
  const marks = await tx.all<CheckpointMark>(MARKS, [all ? MARKS_MAX : NEWEST_KEPT + 2]);
  for (const old of expendable(marks.reverse(), atMs)) await tx.run(DELETE, [old]);
}

const hourOf = (atMs: number): number => Math.floor(atMs / HOUR_MS);
const dayOf = (atMs: number): number => Math.floor(atMs / DAY_MS);

/**
 * The sizes of the checkpoints that need not be kept, out of a list in ascending order. Kept are the newest sixty, for thirty
 * days the first of each hour, and for ever the first of each day (UTC). The first of the list has nothing before it to be
 * compared with and stays.
 */
export function expendable(marks: readonly CheckpointMark[], nowMs: number): readonly number[] {
  return marks.flatMap(({ size, at_ms: atMs }, index) => {
    const before = marks[index - 1];
    if (before === undefined || index >= marks.length - NEWEST_KEPT) return [];
    const firstOfDay = dayOf(before.at_ms) !== dayOf(atMs);
    const firstOfHour = hourOf(before.at_ms) !== hourOf(atMs);
    return firstOfDay || (firstOfHour && nowMs - atMs < HOURS_KEPT_MS) ? [] : [size];
  });
}
