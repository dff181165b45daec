import type { Kysely } from 'kysely';
import { Fault } from '../shared/fault.ts';
import type { Connection, Database, SqlValue, Transaction } from './database.ts';
import { GUARD_PREFIX, type GuardedPlan, planOf, type ReadSource } from './guarded-statements.ts';
import { coveredColumns, GUARDED_TABLES, type GuardedTable, ROW_SEAL } from './guarded-tables.ts';
import { createQueryBuilder } from './query-dialect.ts';
import type { Tables } from './tables.ts';

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

type Row = Record<string, SqlValue>;
type Reading = Extract<GuardedPlan, { readonly kind: 'read' }>;
type Writing = Exclude<GuardedPlan, Reading>;

/** More different texts than the code has. */
const PLANS_MAX = 1024;

/**
 * The same store, with every statement on guarded rows going through here: what is read of them is judged by its seal, what is written gets one,
 * and a row is judged before it is changed, so that no change makes an altered one right. Throws `Fault('row_altered')` instead of handing out a
 * row that this house did not write.
 */
export function guardDatabase(raw: Database, guard: RowGuard): Database {
  const plans = new Map<string, GuardedPlan | undefined>();
  const plan = (sql: string): GuardedPlan | undefined => {
    const known = plans.get(sql);
    if (known !== undefined || plans.has(sql)) return known;
    const made = planOf(sql, raw.engine);
    if (plans.size < PLANS_MAX) plans.set(sql, made);
    return made;
  };
  const guarded = { plan, guard, engine: raw.engine };
  const outside = guardedConnection(raw, guarded);

  return {
    engine: raw.engine,
    get query() {
      return guardedQuery(raw, raw.engine);
    },
    all: outside.all,
    get: outside.get,
    run(sql, params) {
      const made = plan(sql);
      return made === undefined || made.kind === 'read'
        ? raw.run(sql, params)
        : raw.write((tx) => write(tx, guard, made, params));
    },
    write: (work) => raw.write((tx) => work(new GuardedTransaction(tx, guarded))),
    changeStamp: () => raw.changeStamp(),
    listen: (onHeard) => raw.listen(onHeard),
    foreignCommits: () => raw.foreignCommits(),
    undoneWrites: () => raw.undoneWrites(),
    load: () => raw.load(),
    close: () => raw.close(),
  };
}

/**
 * The texts of the builder are not followed: it is for tables without seals, and throws `Fault('internal')` where a guarded one is named.
 */
const guardedQuery = (raw: Connection, engine: Database['engine']): Kysely<Tables> =>
  createQueryBuilder(engine, async (query) => {
    const named = GUARDED_TABLES.find(({ table }) => query.sql.includes(`"${table}"`));
    if (named) throw new Fault('internal', `The query builder was asked for guarded rows of ${named.table}`);
    return raw.query.executeQuery(query);
  });

interface Guarded {
  readonly engine: Database['engine'];
  readonly plan: (sql: string) => GuardedPlan | undefined;
  readonly guard: RowGuard;
}

function guardedConnection(raw: Connection, { plan, guard }: Guarded): Pick<Connection, 'all' | 'get'> {
  return {
    all<Found>(sql: string, params: readonly SqlValue[]) {
      const made = plan(sql);
      return made?.kind === 'read' ? readAll<Found>(raw, guard, made, params) : raw.all<Found>(sql, params);
    },
    get<Found>(sql: string, params: readonly SqlValue[]) {
      const made = plan(sql);
      return made?.kind === 'read' ? readOne<Found>(raw, guard, made, params) : raw.get<Found>(sql, params);
    },
  };
}

class GuardedTransaction implements Transaction {
  readonly kind = 'transaction';
  readonly #raw: Transaction;
  readonly #guarded: Guarded;

  constructor(raw: Transaction, guarded: Guarded) {
    this.#raw = raw;
    this.#guarded = guarded;
  }

  get query(): Kysely<Tables> {
    return guardedQuery(this.#raw, this.#guarded.engine);
  }

  all<Found>(sql: string, params: readonly SqlValue[]): Promise<Found[]> {
    const made = this.#guarded.plan(sql);
    if (made?.kind === 'read') return readAll(this.#raw, this.#guarded.guard, made, params);
    return this.#raw.all(sql, params);
  }

  get<Found>(sql: string, params: readonly SqlValue[]): Promise<Found | undefined> {
    const made = this.#guarded.plan(sql);
    if (made?.kind === 'read') return readOne(this.#raw, this.#guarded.guard, made, params);
    return this.#raw.get(sql, params);
  }

  run(sql: string, params: readonly SqlValue[]): Promise<number> {
    const made = this.#guarded.plan(sql);
    if (made === undefined || made.kind === 'read') return this.#raw.run(sql, params);
    return write(this.#raw, this.#guarded.guard, made, params);
  }
}

async function readAll<Found>(
  raw: Connection,
  guard: RowGuard,
  { sql, sources }: Reading,
  params: readonly SqlValue[],
): Promise<Found[]> {
  const rows = await raw.all<Row>(sql, params);
  return rows.map((row) => judged(guard, sources, row) as Found);
}

async function readOne<Found>(
  raw: Connection,
  guard: RowGuard,
  { sql, sources }: Reading,
  params: readonly SqlValue[],
): Promise<Found | undefined> {
  const row = await raw.get<Row>(sql, params);
  return row && (judged(guard, sources, row) as Found);
}

/** The row as it was asked for, once every guarded row in it was found right. */
function judged(guard: RowGuard, sources: readonly ReadSource[], row: Row): Row {
  for (const { guarded, names, sealName } of sources) {
    const values = names.map((name) => row[name] ?? null);
    // Nothing was joined: the first column names the row, and no row is without its name.
    if (values[0] !== null) judge(guard, guarded, values, row[sealName] ?? null);
  }
  const asked: Row = {};
  for (const name of Object.keys(row)) if (!isAdded(name)) asked[name] = row[name]!;
  return asked;
}

const G = GUARD_PREFIX.charCodeAt(0);
/** Asked of every column of every row: the first character tells most of them apart. */
const isAdded = (name: string): boolean => name.charCodeAt(0) === G && name.startsWith(GUARD_PREFIX);

function judge({ seals, tell, refuses }: RowGuard, guarded: GuardedTable, values: CoveredValues, seal: SqlValue): void {
  if (seals.isRight(guarded, values, seal)) return;
  const place = `${guarded.table}:${values.slice(0, guarded.row.length).join(':')}`;
  tell(place);
  if (refuses) {
    throw new Fault(
      'row_altered',
      `The row ${place} is not as this house wrote it: it was altered, moved or put there.`,
    );
  }
}

async function write(tx: Transaction, guard: RowGuard, made: Writing, params: readonly SqlValue[]): Promise<number> {
  if (made.kind === 'change') {
    const before = await tx.all<Row>(
      made.before,
      made.taken.map((place) => params[place]!),
    );
    for (const row of before) judge(guard, made.guarded, coveredOf(made.guarded, row), row[ROW_SEAL] ?? null);
    const after = before.length === 0 ? [] : await tx.all<Row>(made.sql, params);
    for (const row of after) await sealRow(tx, guard.seals, made.guarded, coveredOf(made.guarded, row));
    return after.length;
  }
  const rows = made.rows.map((cells) => cells.map((cell) => ('at' in cell ? (params[cell.at] ?? null) : cell.value)));
  const sealed = rows.map((values) => guard.seals.seal(made.guarded, values));
  const all = [...params.slice(0, made.parameterCount), ...sealed];
  if (!made.upserts) return tx.run(made.sql, all);
  const name = rows[0]!.slice(0, made.guarded.row.length);
  const before = await tx.get<Row>(selectOne(made.guarded), name);
  if (before) judge(guard, made.guarded, coveredOf(made.guarded, before), before[ROW_SEAL] ?? null);
  const changed = await tx.run(made.sql, all);
  const after = await tx.get<Row>(selectOne(made.guarded), name);
  if (after) await sealRow(tx, guard.seals, made.guarded, coveredOf(made.guarded, after));
  return changed;
}

export const coveredOf = (guarded: GuardedTable, row: Readonly<Record<string, SqlValue>>): CoveredValues =>
  coveredColumns(guarded).map((column) => row[column] ?? null);

/** `column = $n AND ...` for the name of a row. */
export const isRow = ({ row }: GuardedTable, first: number): string =>
  row.map((column, place) => `${column} = $${first + place}`).join(' AND ');

const selectOne = (guarded: GuardedTable): string =>
  `SELECT ${[...coveredColumns(guarded), ROW_SEAL].join(', ')} FROM ${guarded.table} WHERE ${isRow(guarded, 1)}`;

function sealRow(tx: Transaction, seals: RowSeals, guarded: GuardedTable, values: CoveredValues): Promise<number> {
  const name = values.slice(0, guarded.row.length);
  const sql = `UPDATE ${guarded.table} SET ${ROW_SEAL} = $1 WHERE ${isRow(guarded, 2)}`;
  return tx.run(sql, [seals.seal(guarded, values), ...name]);
}
