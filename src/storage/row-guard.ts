import { Fault } from '../shared/fault.ts';
import type { SqlValue } from './database.ts';
import { coveredColumns, type GuardedTable } from './guarded-tables.ts';

/** The values of a row that its seal covers, in the order of `coveredColumns`. */
export type CoveredValues = readonly SqlValue[];

/** Makes and judges the seals of rows. */
export interface RowSeals {
  seal(guarded: GuardedTable, values: CoveredValues): Uint8Array;
  /** Whether this very row was written by this house. A row without a seal was not. */
  isRight(guarded: GuardedTable, values: CoveredValues, seal: SqlValue): boolean;
}

export interface RowGuard {
  readonly seals: RowSeals;
  /** Hears of every altered row before whoever asked for it is refused; `place` is `table:row`. */
  readonly tell: (place: string) => void;
  /** False while a house only tells. */
  readonly refuses: boolean;
}

/**
 * Whether what was read of a row may be used. False for a passing one that does not match its seal, where the house refuses; for any other
 * throws `Fault('row_altered')`.
 */
export const isUsable = (guard: RowGuard, guarded: GuardedTable, values: CoveredValues, seal: SqlValue): boolean =>
  guard.seals.isRight(guarded, values, seal) || mayBeUsed(guard, guarded, values);

/** The same of a row that does not match. */
export function mayBeUsed({ tell, refuses }: RowGuard, guarded: GuardedTable, values: CoveredValues): boolean {
  const place = placeOf(guarded, values);
  tell(place);
  if (!refuses) return true;
  if (guarded.isPassing === true) return false;
  throw altered(place);
}

/** `table:row`, as a guard tells of it. */
export const placeOf = (guarded: GuardedTable, values: CoveredValues): string =>
  `${guarded.table}:${values.slice(0, guarded.row.length).join(':')}`;

/** What whoever asked for an altered row is refused with. */
export const altered = (place: string): Fault =>
  new Fault('row_altered', `The row ${place} is not as this house wrote it: it was altered, moved or put there.`);

/** The covered values of a row, in their order. */
export const coveredOf = (guarded: GuardedTable, row: Readonly<Record<string, SqlValue>>): CoveredValues =>
  coveredColumns(guarded).map((column) => row[column] ?? null);
