import type { SqlValue, Transaction } from './database.ts';
import { type GuardedPlan, isRow } from './guarded-statements.ts';
import { coveredColumns, type GuardedTable, ROW_SEAL } from './guarded-tables.ts';
import type { Changed, Row } from './kept-rows.ts';
import {
  altered,
  type CoveredValues,
  coveredOf,
  isUsable,
  placeOf,
  type RowGuard,
  type RowSeals,
} from './row-guard.ts';
import type { Written } from './whole-rows.ts';

/** A statement that changes guarded rows. */
export type Writing = Exclude<GuardedPlan, { readonly kind: 'read' }>;

type Touching = Extract<GuardedPlan, { readonly kind: 'touch' }>;

/** What a statement that neither judges nor seals leaves other than it was. */
export const touched = ({ guarded, named }: Touching, params: readonly SqlValue[]): Changed => ({
  guarded,
  ...(named === undefined ? {} : { name: named.map((place) => params[place]!) }),
});

/** Carries out a statement that changes guarded rows: judges what stands there, seals what comes to be, and adds to `changed` what may be kept of it in memory. */
export async function write(
  tx: Transaction,
  guard: RowGuard,
  made: Writing,
  params: readonly SqlValue[],
  changed: Changed[],
): Promise<number> {
  const { guarded } = made;
  if (made.kind === 'touch') {
    changed.push(touched(made, params));
    return tx.run(made.sql, params);
  }
  const note = noteIn(changed, guarded);
  if (made.kind === 'change') {
    const before = await tx.all<Row>(
      made.before,
      made.taken.map((place) => params[place]!),
    );
    const wrong = new Set<string>();
    for (const row of before) {
      const values = coveredOf(guarded, row);
      note(values);
      if (!isUsable(guard, guarded, values, row[ROW_SEAL] ?? null)) wrong.add(placeOf(guarded, values));
    }
    const after = before.length === 0 ? [] : await tx.all<Row>(made.sql, params);
    // What is as good as gone gets no seal, and nobody is told that it was changed.
    const right = after.map((row) => coveredOf(guarded, row)).filter((row) => !wrong.has(placeOf(guarded, row)));
    for (const values of right) {
      note(values);
      sealRow(tx, guard.seals, guarded, values);
    }
    return right.length;
  }
  const said = sealedAtOnce(guard.seals, made, params, changed);
  if (said !== undefined) return tx.run(said.sql, said.params);
  for (const values of rowsOf(made, params)) note(values);
  return upsert(tx, guard, made, params);
}

const noteIn =
  (changed: Changed[], guarded: GuardedTable) =>
  (values: CoveredValues): void => {
    if (guarded.isKept) changed.push({ guarded, name: values.slice(0, guarded.row.length) });
  };

/** A statement as it goes to the store. */
export interface Said {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

type WholeRows = Extract<GuardedPlan, { readonly kind: 'insert' | 'replace' }>;

const rowsOf = (made: WholeRows, params: readonly SqlValue[]): readonly CoveredValues[] =>
  (made.kind === 'insert' ? made.rows : [made.row]).map((cells) => valuesOf(cells, params));

/**
 * What is said of rows that are written whole: nothing of them has to be read first. Adds to `changed` what may be kept of them in memory.
 * Undefined for all other statements.
 */
export function sealedAtOnce(
  seals: RowSeals,
  made: Writing,
  params: readonly SqlValue[],
  changed: Changed[],
): Said | undefined {
  if (made.kind === 'touch' || made.kind === 'change' || (made.kind === 'insert' && made.upserts)) return undefined;
  const rows = rowsOf(made, params);
  rows.forEach(noteIn(changed, made.guarded));
  const sealed = rows.map((values) => seals.seal(made.guarded, values));
  return { sql: made.sql, params: [...params.slice(0, made.parameterCount), ...sealed] };
}

/** A row that may be there already, some of which stays as it was: it is judged before, and sealed as it came to be. */
async function upsert(tx: Transaction, guard: RowGuard, made: WholeRows, params: readonly SqlValue[]): Promise<number> {
  const { guarded } = made;
  const [values] = rowsOf(made, params) as [CoveredValues];
  const all = [...params.slice(0, made.parameterCount), guard.seals.seal(guarded, values)];
  const name = values.slice(0, guarded.row.length);
  // In the same breath, so that they go to the server together: where the row was altered, what was done to it is undone by the throw.
  const [before, count, after] = await Promise.all([
    tx.get<Row>(selectOne(guarded), name),
    tx.run(made.sql, all),
    tx.get<Row>(selectOne(guarded), name),
  ]);
  const held = before && coveredOf(guarded, before);
  if (held && !isUsable(guard, guarded, held, before[ROW_SEAL] ?? null)) throw altered(placeOf(guarded, held));
  if (after) sealRow(tx, guard.seals, guarded, coveredOf(guarded, after));
  return count;
}

const valuesOf = (cells: readonly Written[], params: readonly SqlValue[]): CoveredValues =>
  cells.map((cell) => ('at' in cell ? (params[cell.at] ?? null) : cell.value));

const selectOne = (guarded: GuardedTable): string =>
  `SELECT ${[...coveredColumns(guarded), ROW_SEAL].join(', ')} FROM ${guarded.table} WHERE ${isRow(guarded, 1)}`;

function sealRow(tx: Transaction, seals: RowSeals, guarded: GuardedTable, values: CoveredValues): void {
  const name = values.slice(0, guarded.row.length);
  const sql = `UPDATE ${guarded.table} SET ${ROW_SEAL} = $1 WHERE ${isRow(guarded, 2)}`;
  tx.post(sql, [seals.seal(guarded, values), ...name]);
}
