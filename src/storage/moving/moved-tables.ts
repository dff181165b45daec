import type { Connection } from '../database.ts';

/** A table as it is carried from one engine to the other. */
export interface MovedTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** The columns of the primary key, by which rows are walked. */
  readonly key: readonly string[];
  /** Columns that refer to rows of the same table: written when all rows are there. */
  readonly toItself: readonly string[];
}

/** The journal of the schema belongs to each store itself, and so does what triggers keep: the stamp, and on SQLite alone people as they are found. */
const NOT_MOVED: ReadonlySet<string> = new Set(['migrations', 'change_stamp', 'found_people']);

const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";

interface ColumnRow {
  readonly name: string;
  readonly pk: number;
}

interface ReferenceRow {
  readonly table: string;
  readonly from: string;
}

/** Every table of a SQLite store that is carried over, those others refer to before those that refer to them. */
export async function movedTables(source: Pick<Connection, 'all'>): Promise<readonly MovedTable[]> {
  const names = (await source.all<{ name: string }>(TABLES, [])).map(({ name }) => name);
  const waiting = new Map<string, { readonly table: MovedTable; readonly after: readonly string[] }>();
  for (const name of names) if (!NOT_MOVED.has(name)) waiting.set(name, await read(source, name));
  const ordered: MovedTable[] = [];
  while (waiting.size > 0) {
    const ready = [...waiting.values()].filter(({ after }) => after.every((other) => !waiting.has(other)));
    if (ready.length === 0)
      throw new TypeError(`Tables refer to one another in a circle: ${[...waiting.keys()].join(', ')}`);
    for (const { table } of ready) {
      ordered.push(table);
      waiting.delete(table.name);
    }
  }
  return ordered;
}

async function read(source: Pick<Connection, 'all'>, name: string) {
  const columns = await source.all<ColumnRow>(`PRAGMA table_info(${name})`, []);
  const references = await source.all<ReferenceRow>(`PRAGMA foreign_key_list(${name})`, []);
  const ofKey = columns.filter(({ pk }) => pk > 0).sort((left, right) => left.pk - right.pk);
  const table: MovedTable = {
    name,
    columns: columns.map((column) => column.name),
    key: ofKey.map((column) => column.name),
    toItself: references.filter(({ table: to }) => to === name).map(({ from }) => from),
  };
  return { table, after: references.map(({ table: to }) => to).filter((to) => to !== name) };
}
