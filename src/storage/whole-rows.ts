import { Fault } from '../shared/fault.ts';
import type { SqlValue } from './database.ts';
import { coveredColumns, type GuardedTable, ROW_SEAL } from './guarded-tables.ts';
import { atCommas, type SqlWord } from './sql-words.ts';

/** How a value of a new row is written in the statement: a parameter, counted from nought, or what stands there. */
export type Written = { readonly at: number } | { readonly value: SqlValue };

/** A row that is written whole, wherever it is there: `sql` takes one parameter more, the seal. */
export interface ReplacePlan {
  readonly kind: 'replace';
  readonly guarded: GuardedTable;
  readonly sql: string;
  readonly parameterCount: number;
  readonly row: readonly Written[];
}

export const unclear = (sql: string): Fault =>
  new Fault('internal', `A statement on guarded rows cannot be followed: ${sql}`);

export const parametersIn = (sql: string): number =>
  Math.max(0, ...[...sql.matchAll(/\$(\d+)/g)].map(([, digits]) => Number(digits)));

/** `column = what` of the list behind the first `SET`, by column. */
function assignments(words: readonly SqlWord[]): ReadonlyMap<string, readonly SqlWord[]> {
  const from = words.findIndex(({ text, depth }) => text === 'SET' && depth === 0) + 1;
  const to = words.findIndex(({ text, depth }, at) => at > from && text === 'WHERE' && depth === 0);
  const list = atCommas(words.slice(from, to < 0 ? words.length : to), 0);
  return new Map(list.map(([column, , ...value]) => [column?.text ?? '', value]));
}

/** Whether what stands there already becomes what was to be inserted, in all that is covered. `words` from `ON CONFLICT (...)` on. */
export function takesProposed(guarded: GuardedTable, words: readonly SqlWord[]): boolean {
  const target = words
    .slice(
      0,
      words.findIndex(({ text }) => text === 'DO'),
    )
    .map(({ text }) => text);
  const set = assignments(words);
  return coveredColumns(guarded).every(
    (column) => target.includes(column) || textOf(set.get(column)) === `excluded.${column}`,
  );
}

const textOf = (words: readonly SqlWord[] = [], between = ''): string => words.map(({ text }) => text).join(between);

/** The statement with one assignment more, behind the last of its `SET`. */
export function withAssignment(sql: string, words: readonly SqlWord[], assignment: string): string {
  const set = words.findIndex(({ text, depth }) => text === 'SET' && depth === 0);
  const where = words.findIndex(({ text, depth }, at) => at > set && text === 'WHERE' && depth === 0);
  const end = words[where < 0 ? words.length - 1 : where - 1]!.end;
  return `${sql.slice(0, end)}, ${assignment}${sql.slice(end)}`;
}

/**
 * Whether an `UPDATE` finds its row only as somebody has read it, and so judged it: its condition compares everything the seal covers. Where a row was
 * altered since, it finds none.
 */
export function isAsJudged(words: readonly SqlWord[], guarded: GuardedTable): boolean {
  const where = words.findIndex(({ text, depth }) => text === 'WHERE' && depth === 0);
  if (where < 0) return false;
  const compared = textOf(words.slice(where + 1), ' ').split(' AND ');
  return coveredColumns(guarded).every((column) =>
    compared.some((one) => one.startsWith(`${column} `) && AS_READ.test(one.slice(column.length))),
  );
}

const AS_READ = /^ (?:=|IS NOT DISTINCT FROM) \$\d+$/;

/** `UPDATE` of one row by its name that sets everything else its seal covers. */
export function planReplace(sql: string, words: readonly SqlWord[], guarded: GuardedTable): ReplacePlan | undefined {
  const where = words.findIndex(({ text, depth }) => text === 'WHERE' && depth === 0);
  const condition = words.slice(where < 0 ? words.length : where + 1);
  if (condition.some(({ text, depth }) => text === 'OR' && depth === 0)) return undefined;
  const set = assignments(words);
  const named = (column: string): readonly SqlWord[] | undefined => {
    const at = condition.findIndex(
      ({ text, depth }, place) => text === column && depth === 0 && condition[place + 1]?.text === '=',
    );
    return at < 0 ? undefined : condition.slice(at + 2, at + 3);
  };
  const values = coveredColumns(guarded).map((column) =>
    guarded.row.includes(column) ? named(column) : set.get(column),
  );
  if (values.some((value) => value?.length !== 1)) return undefined;
  const parameterCount = parametersIn(sql);
  return {
    kind: 'replace',
    guarded,
    sql: withAssignment(sql, words, `${ROW_SEAL} = $${parameterCount + 1}`),
    parameterCount,
    row: values.map((value) => written(value!, sql)),
  };
}

export function written(cell: readonly SqlWord[], sql: string): Written {
  const [word, ...more] = cell;
  if (word === undefined || more.length > 0) throw unclear(sql);
  const { text } = word;
  if (text.startsWith('$')) return { at: Number(text.slice(1)) - 1 };
  if (text === 'NULL') return { value: null };
  if (text.startsWith("'")) return { value: text.slice(1, -1).replaceAll("''", "'") };
  if (/^\d+$/.test(text)) return { value: Number(text) };
  throw unclear(sql);
}
