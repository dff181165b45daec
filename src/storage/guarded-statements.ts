import { coveredColumns, GUARDED_TABLES, type GuardedTable, guardedTable, ROW_SEAL } from './guarded-tables.ts';
import { atCommas, renumbered, type SqlWord, sqlWords } from './sql-words.ts';
import {
  isAsJudged,
  parametersIn,
  planReplace,
  type ReplacePlan,
  takesProposed,
  unclear,
  type Written,
  withAssignment,
  written,
} from './whole-rows.ts';

/**
 * The mark of a statement whose rows are not judged: it lets nobody in. A walk over many rows, or what ends them, which one altered row must not
 * hold up; and whether a session goes on, asked for a token that stands under a seal of its own.
 */
export const UNJUDGED = '/* unjudged */';

/** The end of a statement that may be answered from memory (kept-rows.ts): it reads one row by its name, of a table with `isKept`. */
export const KEPT = '/* kept */';

/** What the columns that are read beside those asked for begin with. */
export const GUARD_PREFIX = 'guard';

/** A guarded table a statement reads from: what its columns are called in the rows that come back, in the order of `coveredColumns`. */
export interface ReadSource {
  readonly guarded: GuardedTable;
  readonly names: readonly string[];
  readonly sealName: string;
}

/** What a statement does to guarded rows, and so what must be done around it. Undefined: nothing. */
export type GuardedPlan =
  | {
      readonly kind: 'read';
      readonly sql: string;
      readonly sources: readonly ReadSource[];
      /** False where all that is needed was asked for. */
      readonly adds: boolean;
      /** The table of which it reads one row by its name, the parameters, where such rows are kept in memory. */
      readonly keeps?: GuardedTable;
    }
  /**
   * Neither judges nor seals, and leaves rows of a table of which rows are kept in memory other than they were: one, whose name stands at these
   * places among the parameters, or any.
   */
  | { readonly kind: 'touch'; readonly sql: string; readonly guarded: GuardedTable; readonly named?: readonly number[] }
  /** New rows whose every covered value can be told from the statement: `sql` takes one parameter more for each, the seal. */
  | {
      readonly kind: 'insert';
      readonly guarded: GuardedTable;
      readonly sql: string;
      readonly parameterCount: number;
      readonly rows: readonly (readonly Written[])[];
      /** Where the row may be there already and some of what is covered stays as it was. */
      readonly upserts: boolean;
    }
  | ReplacePlan
  | {
      readonly kind: 'change';
      readonly guarded: GuardedTable;
      /** Finds the rows that are about to change, `taken` of the parameters handed in. */
      readonly before: string;
      readonly taken: readonly number[];
      /** The statement itself; its rows come back as they are afterwards. */
      readonly sql: string;
    };

/** Reads a statement once; its text is a constant of ours. Throws `Fault('internal')` where it touches guarded rows in a way nobody can follow. */
export function planOf(sql: string, engine: 'sqlite' | 'postgres'): GuardedPlan | undefined {
  if (!GUARDED_TABLES.some(({ table }) => sql.includes(table)) || sql.includes(UNJUDGED)) return undefined;
  const words = sqlWords(sql);
  switch (words[0]?.text) {
    case 'SELECT':
      return sql.endsWith(KEPT) ? planKept(sql, engine) : planRead(sql, words);
    case 'INSERT':
      return planInsert(sql, words) ?? planTouch(sql);
    case 'UPDATE':
      return planChange(sql, words, engine) ?? planTouch(sql);
    default:
      // A row that is gone has nothing to be judged by; statements of other kinds name no row.
      return planTouch(sql);
  }
}

function planTouch(sql: string): GuardedPlan | undefined {
  const guarded = GUARDED_TABLES.find(({ table, isKept }) => isKept && sql.includes(table));
  if (guarded === undefined) return undefined;
  const places = [...(BY_NAME.exec(sql)?.[0] ?? '').matchAll(/(\w+) = \$(\d+)/g)];
  const isNamed = places.map(([, column]) => column).join() === guarded.row.join();
  return {
    kind: 'touch',
    sql,
    guarded,
    ...(isNamed ? { named: places.map(([, , digits]) => Number(digits) - 1) } : {}),
  };
}

const BY_NAME = / WHERE \w+ = \$\d+(?: AND \w+ = \$\d+)*$/;

const AFTER_SOURCES = new Set(['WHERE', 'GROUP', 'ORDER', 'LIMIT', 'FOR', 'UNION', 'HAVING']);
const NO_ALIAS = /^[A-Z(),]/;
/** One value out of many rows: there is no row to judge. */
const GATHERING = /^(count|sum|max|min|avg|DISTINCT)$/;

function planRead(sql: string, words: readonly SqlWord[]): GuardedPlan | undefined {
  const from = words.findIndex(({ text, depth }) => text === 'FROM' && depth === 0);
  if (from < 0) return undefined;
  if (words.slice(1, from).some(({ text, depth }) => depth === 0 && GATHERING.test(text))) return undefined;
  const sources: ReadSource[] = [];
  const fragments: string[] = [];
  const asked = plainlyAsked(words.slice(1, from));
  const isAlone =
    !words.slice(from).some(({ text, depth }) => depth === 0 && text === 'JOIN') && words[from + 2]?.text !== ',';
  for (let at = from; at < words.length; at += 1) {
    const { text, depth } = words[at]!;
    if (depth > 0) continue;
    if (text === 'UNION') throw unclear(sql);
    if (AFTER_SOURCES.has(text)) break;
    if (text !== 'FROM' && text !== 'JOIN' && text !== ',') continue;
    const guarded = guardedTable(words[at + 1]?.text ?? '');
    if (guarded === undefined) continue;
    const next = words[at + 2]?.text ?? '(';
    const alias = NO_ALIAS.test(next) ? guarded.table : next;
    const prefix = `${GUARD_PREFIX}${sources.length}_`;
    // What is asked for anyway is not read twice: it costs as much as judging it.
    const nameFor = (column: string): string => {
      if (asked.has(`${alias}.${column}`) || (isAlone && asked.has(column))) return column;
      fragments.push(`${alias}.${column} AS ${prefix}${column}`);
      return `${prefix}${column}`;
    };
    const names = coveredColumns(guarded).map(nameFor);
    sources.push({ guarded, names, sealName: nameFor(ROW_SEAL) });
  }
  if (sources.length === 0) return undefined;
  if (fragments.length === 0) return { kind: 'read', sql, sources, adds: false };
  const before = words[from]!.start;
  return {
    kind: 'read',
    sql: `${sql.slice(0, before)}, ${fragments.join(', ')} ${sql.slice(before)}`,
    sources,
    adds: true,
  };
}

function planKept(sql: string, engine: 'sqlite' | 'postgres'): GuardedPlan {
  const text = sql.slice(0, -KEPT.length).trimEnd();
  const plan = planOf(text, engine);
  const keeps = plan?.kind === 'read' && plan.sources.length === 1 ? plan.sources[0]!.guarded : undefined;
  if (plan?.kind !== 'read' || !keeps?.isKept || !text.endsWith(` FROM ${keeps.table} WHERE ${isRow(keeps, 1)}`)) {
    throw unclear(sql);
  }
  return { ...plan, keeps };
}

/** `column = $n AND ...` for the name of a row. */
export const isRow = ({ row }: GuardedTable, first: number): string =>
  row.map((column, place) => `${column} = $${first + place}`).join(' AND ');

/** Columns a list asks for as they are called, as `alias.column` or bare: a name that comes back once is nobody else's. */
function plainlyAsked(list: readonly SqlWord[]): ReadonlySet<string> {
  const plain = atCommas(list, 0).map((item) => item.map(({ text }) => text));
  const names = plain.map((item) => item.at(-1));
  return new Set(
    plain
      .filter(
        (item) =>
          (item.length === 1 || (item.length === 3 && item[1] === '.')) &&
          names.indexOf(item.at(-1)) === names.lastIndexOf(item.at(-1)),
      )
      .map((item) => item.join('')),
  );
}

/** `INSERT INTO table (columns) VALUES (...), (...) [ON CONFLICT ...]`, of parameters, numbers, texts and NULL. */
function planInsert(sql: string, words: readonly SqlWord[]): GuardedPlan | undefined {
  const guarded = guardedTable(words[2]?.text ?? '');
  if (guarded === undefined) return undefined;
  const values = words.findIndex(({ text, depth }) => text === 'VALUES' && depth === 0);
  if (values < 0 || words[3]?.text !== '(') throw unclear(sql);
  const columns = words
    .slice(4, values)
    .filter(({ depth, text }) => depth === 1 && text !== ',')
    .map(({ text }) => text);
  const conflict = words.findIndex(({ text, depth }) => text === 'ON' && depth === 0);
  const tuples = words.slice(values + 1, conflict < 0 ? words.length : conflict);
  if (tuples.some(({ depth }) => depth > 1)) throw unclear(sql);
  const ends = tuples.filter(({ text, depth }) => text === ')' && depth === 0);
  const parameterCount = parametersIn(sql);
  const rows = ends.map((end, row) => {
    const start = row === 0 ? tuples[0]!.start : ends[row - 1]!.end;
    const cells = atCommas(
      tuples.filter(({ start: at, depth }) => at >= start && at < end.start && depth === 1),
      1,
    );
    return coveredColumns(guarded).map((column): Written => {
      const place = columns.indexOf(column);
      // A column that is not named is empty: none of those covered has another default.
      return place < 0 ? { value: null } : written(cells[place] ?? [], sql);
    });
  });
  const upserts = conflict >= 0 && words.slice(conflict).some(({ text, depth }) => text === 'UPDATE' && depth === 0);
  if (upserts && rows.length !== 1) throw unclear(sql);
  const isWhole = upserts && guarded.isPassing === true && takesProposed(guarded, words.slice(conflict));
  let sealed = isWhole ? withAssignment(sql, words, `${ROW_SEAL} = excluded.${ROW_SEAL}`) : sql;
  // From behind, so that the places in front stay where they are.
  for (const [row, end] of [...ends.entries()].toReversed()) {
    sealed = `${sealed.slice(0, end.start)}, $${parameterCount + row + 1}${sealed.slice(end.start)}`;
  }
  const open = words.find(({ text, depth }) => text === ')' && depth === 0)!;
  sealed = `${sealed.slice(0, open.start)}, ${ROW_SEAL}${sealed.slice(open.start)}`;
  return { kind: 'insert', guarded, sql: sealed, parameterCount, rows, upserts: upserts && !isWhole };
}

/** `UPDATE table SET column = ..., ... [WHERE ...]`. One that sets nothing covered leaves the seal right. */
function planChange(sql: string, words: readonly SqlWord[], engine: 'sqlite' | 'postgres'): GuardedPlan | undefined {
  const guarded = guardedTable(words[1]?.text ?? '');
  if (guarded === undefined) return undefined;
  const where = words.findIndex(({ text, depth }) => text === 'WHERE' && depth === 0);
  if (words[2]?.text !== 'SET') throw unclear(sql);
  const set = atCommas(words.slice(3, where < 0 ? words.length : where), 0).map(([column]) => column?.text ?? '');
  const covered = coveredColumns(guarded);
  if (!set.some((column) => covered.includes(column))) return undefined;
  if (words.some(({ text, depth }) => text === 'RETURNING' && depth === 0)) throw unclear(sql);
  const whole = guarded.isPassing === true || isAsJudged(words, guarded) ? planReplace(sql, words, guarded) : undefined;
  if (whole !== undefined) return whole;
  const columns = [...covered, ROW_SEAL].join(', ');
  const { sql: condition, taken } = renumbered(where < 0 ? '' : sql.slice(words[where]!.start));
  const lock = engine === 'postgres' ? ' FOR UPDATE' : '';
  return {
    kind: 'change',
    guarded,
    before: `SELECT ${columns} FROM ${guarded.table} ${condition}${lock}`,
    taken,
    sql: `${sql} RETURNING ${columns}`,
  };
}
