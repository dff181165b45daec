import type { Connection, SqlValue } from '../../src/storage/database.ts';

/** How the n-th row of a table fills one column; `prefix` is followed by n, which makes texts unique and references meet. */
type Fill =
  | { readonly kind: 'prefix'; readonly prefix: string }
  | { readonly kind: 'constant'; readonly value: string | number }
  | { readonly kind: 'number' | 'bytes' | 'null' };

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  /** 1 where a row must have one. */
  readonly notnull: number;
}

export interface RowMaker {
  readonly table: string;
  readonly columns: readonly (ColumnRow & { readonly fill: Fill })[];
  /** Tables of which the row refers to the n-th. */
  readonly after: readonly string[];
}

/** Where constraints want more than each column by itself. */
const TOGETHER: Readonly<Record<string, Readonly<Record<string, Fill>>>> = {
  mandates: { represented_id: { kind: 'null' }, parent_id: { kind: 'null' } },
  grant_subjects: { represented_id: { kind: 'null' } },
  /** Of two persons: everybody with the first there is. */
  person_merges: { kept_id: { kind: 'constant', value: 'persons.id:0' } },
  identity_documents: {
    is_primary: { kind: 'constant', value: 1 },
    type: { kind: 'constant', value: 'resident_id_card' },
  },
};

const TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
const ONE_ROW = new Set(['migrations', 'change_stamp', 'ledger_tree']);
/** Has its rows from triggers, on SQLite alone. */
const BY_TRIGGERS = new Set(['found_people']);

/** Makers of rows that a schema takes, one for each table, those referred to first; read out of a SQLite store of that schema. */
export async function rowMakers(sqlite: Pick<Connection, 'all'>): Promise<readonly RowMaker[]> {
  const tables = await sqlite.all<{ name: string; sql: string }>(TABLES, []);
  const makers: RowMaker[] = [];
  for (const { name, sql } of tables) {
    if (!ONE_ROW.has(name) && !BY_TRIGGERS.has(name)) makers.push(await makerOf(sqlite, name, sql));
  }
  const ordered: RowMaker[] = [];
  while (ordered.length < makers.length) {
    const standing = new Set(ordered.map(({ table }) => table));
    const ready = makers.filter(({ table, after }) => !standing.has(table) && after.every((to) => standing.has(to)));
    if (ready.length === 0) throw new Error('tables refer to one another in a circle');
    ordered.push(...ready);
  }
  return ordered;
}

async function makerOf(sqlite: Pick<Connection, 'all'>, table: string, sql: string): Promise<RowMaker> {
  const columns = await sqlite.all<ColumnRow>(`PRAGMA table_info(${table})`, []);
  const references = await sqlite.all<{ table: string; from: string }>(`PRAGMA foreign_key_list(${table})`, []);
  const fillOf = ({ name, type }: ColumnRow): Fill => {
    const own = TOGETHER[table]?.[name];
    if (own !== undefined) return own;
    const to = references.find(({ from }) => from === name)?.table;
    if (to !== undefined) return { kind: 'prefix', prefix: `${to}.id:` };
    const [, first] = new RegExp(`\\b${name} IN \\(([^,)]+)`).exec(sql) ?? [];
    if (first !== undefined)
      return { kind: 'constant', value: type === 'TEXT' ? first.replaceAll("'", '') : Number(first) };
    if (type === 'TEXT') return { kind: 'prefix', prefix: `${table}.${name}:` };
    return { kind: type === 'BLOB' ? 'bytes' : 'number' };
  };
  return {
    table,
    columns: columns.map((column) => ({ ...column, fill: fillOf(column) })),
    after: [...new Set(references.map(({ table: to }) => to))].filter((to) => to !== table),
  };
}

/** The n-th row, in the order of the columns. All begin with 1, persons with 0. */
export const plausibleRow = ({ columns }: RowMaker, n: number): SqlValue[] =>
  columns.map(({ fill }) => {
    if (fill.kind === 'prefix') return `${fill.prefix}${n}`;
    if (fill.kind === 'constant') return fill.value;
    if (fill.kind === 'number') return n;
    return fill.kind === 'null' ? null : Buffer.from(`sealed ${n}`);
  });

export function insertText({ table, columns }: RowMaker): string {
  const places = columns.map((_, at) => `$${at + 1}`);
  return `INSERT INTO ${table} (${columns.map(({ name }) => name).join(', ')}) VALUES (${places.join(', ')})`;
}
