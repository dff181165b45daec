import type { Kysely } from 'kysely';
import { Fault } from '../shared/fault.ts';
import type { Connection, Database, SqlValue, Transaction, WriteTerms } from './database.ts';
import { GUARD_PREFIX, type GuardedPlan, planOf } from './guarded-statements.ts';
import { GUARDED_TABLES } from './guarded-tables.ts';
import { type Said, sealedAtOnce, touched, write } from './guarded-writes.ts';
import { type Changed, createKeptRows, type Found, type KeptRows, type Row } from './kept-rows.ts';
import { createQueryBuilder } from './query-dialect.ts';
import { askedAhead } from './read-ahead.ts';
import { mayBeUsed, type RowGuard } from './row-guard.ts';
import type { Tables } from './tables.ts';

type Reading = Extract<GuardedPlan, { readonly kind: 'read' }>;

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
  const kept = createKeptRows(raw);
  const guarded = { plan, guard, engine: raw.engine };
  const outside = guardedConnection(raw, guarded, kept);
  /** What is kept in memory of rows that were changed is forgotten before whoever changed them hears that it is done. */
  const writing = async <T>(
    work: (tx: Transaction, changed: Changed[]) => Promise<T>,
    terms?: WriteTerms,
  ): Promise<T> => {
    const changed: Changed[] = [];
    try {
      return await raw.write((tx) => work(tx, changed), terms);
    } finally {
      kept.forget(changed);
    }
  };

  return {
    engine: raw.engine,
    get query() {
      return guardedQuery(raw, raw.engine);
    },
    all: outside.all,
    get: raw.engine === 'postgres' ? withAnswers(outside.get) : outside.get,
    run(sql, params) {
      const made = plan(sql);
      return made === undefined || made.kind === 'read'
        ? raw.run(sql, params)
        : writing((tx, changed) => write(tx, guard, made, params, changed));
    },
    write: (work, terms) => writing((tx, changed) => work(new GuardedTransaction(tx, guarded, changed)), terms),
    changeStamp: () => raw.changeStamp(),
    listen: (onHeard) => raw.listen(onHeard),
    foreignCommits: () => raw.foreignCommits(),
    undoneWrites: () => raw.undoneWrites(),
    load: () => raw.load(),
    close: () => raw.close(),
  };
}

/** Look-ups that a request has begun together are not asked a second time (read-ahead.ts). */
const withAnswers =
  (get: Connection['get']): Connection['get'] =>
  <Asked>(sql: string, params: readonly SqlValue[]) =>
    askedAhead(sql, params, () => get<Asked>(sql, params));

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

function guardedConnection(raw: Connection, { plan, guard }: Guarded, kept: KeptRows): Pick<Connection, 'all' | 'get'> {
  return {
    all<Asked>(sql: string, params: readonly SqlValue[]) {
      const made = plan(sql);
      return made?.kind === 'read' ? readAll<Asked>(raw, guard, made, params) : raw.all<Asked>(sql, params);
    },
    async get<Asked>(sql: string, params: readonly SqlValue[]) {
      const made = plan(sql);
      if (made?.kind !== 'read') return raw.get<Asked>(sql, params);
      const look = (): Promise<Found> => readOne(raw, guard, made, params);
      const row = made.keeps === undefined ? (await look()).row : await kept.find(sql, made.keeps, params, look);
      return row as Asked | undefined;
    },
  };
}

class GuardedTransaction implements Transaction {
  readonly kind = 'transaction';
  readonly #raw: Transaction;
  readonly #guarded: Guarded;
  readonly #changed: Changed[];

  constructor(raw: Transaction, guarded: Guarded, changed: Changed[]) {
    this.#raw = raw;
    this.#guarded = guarded;
    this.#changed = changed;
  }

  get query(): Kysely<Tables> {
    return guardedQuery(this.#raw, this.#guarded.engine);
  }

  all<Asked>(sql: string, params: readonly SqlValue[]): Promise<Asked[]> {
    const made = this.#guarded.plan(sql);
    if (made?.kind === 'read') return readAll(this.#raw, this.#guarded.guard, made, params);
    if (made?.kind === 'touch') this.#changed.push(touched(made, params));
    return this.#raw.all(sql, params);
  }

  /** What a transaction reads is what holds within it: never what is kept. */
  async get<Asked>(sql: string, params: readonly SqlValue[]): Promise<Asked | undefined> {
    const made = this.#guarded.plan(sql);
    if (made?.kind === 'read') {
      return (await readOne(this.#raw, this.#guarded.guard, made, params)).row as Asked | undefined;
    }
    if (made?.kind === 'touch') this.#changed.push(touched(made, params));
    return this.#raw.get(sql, params);
  }

  run(sql: string, params: readonly SqlValue[]): Promise<number> {
    const made = this.#guarded.plan(sql);
    if (made === undefined || made.kind === 'read') return this.#raw.run(sql, params);
    return write(this.#raw, this.#guarded.guard, made, params, this.#changed);
  }

  post(sql: string, params: readonly SqlValue[], explain?: (error: unknown) => unknown): void {
    const said = this.#sealed(sql, params);
    this.#raw.post(said.sql, said.params, explain);
  }

  postLast(sql: string, params: readonly SqlValue[], order: string): void {
    const said = this.#sealed(sql, params);
    this.#raw.postLast(said.sql, said.params, order);
  }

  demand(sql: string, params: readonly SqlValue[], lost: () => unknown, explain?: (error: unknown) => unknown): void {
    const said = this.#sealed(sql, params);
    this.#raw.demand(said.sql, said.params, lost, explain);
  }

  demandRow(sql: string, params: readonly SqlValue[], lost: () => unknown): void {
    if (this.#guarded.plan(sql) !== undefined) throw mustBeWaitedFor(sql);
    this.#raw.demandRow(sql, params, lost);
  }

  /** A row that is judged before it changes has to be waited for. */
  #sealed(sql: string, params: readonly SqlValue[]): Said {
    const made = this.#guarded.plan(sql);
    if (made === undefined) return { sql, params };
    const said =
      made.kind === 'read' ? undefined : sealedAtOnce(this.#guarded.guard.seals, made, params, this.#changed);
    if (said === undefined) throw mustBeWaitedFor(sql);
    return said;
  }
}

const mustBeWaitedFor = (sql: string): Fault =>
  new Fault('internal', `A statement on guarded rows must be waited for: ${sql}`);

async function readAll<Asked>(
  raw: Connection,
  guard: RowGuard,
  reading: Reading,
  params: readonly SqlValue[],
): Promise<Asked[]> {
  const rows = await raw.all<Row>(reading.sql, params);
  return rows.flatMap((row) => (judged(guard, reading, row).row as Asked | undefined) ?? []);
}

async function readOne(
  raw: Connection,
  guard: RowGuard,
  reading: Reading,
  params: readonly SqlValue[],
): Promise<Found> {
  const row = await raw.get<Row>(reading.sql, params);
  return row === undefined ? NOTHING : judged(guard, reading, row);
}

const NOTHING: Found = { row: undefined, isRight: true };

/** The row as it was asked for, once every guarded row in it was found right, or told of; without a row where a passing one was not. */
function judged(guard: RowGuard, { sources, adds }: Reading, row: Row): Found {
  let isRight = true;
  for (const { guarded, names, sealName } of sources) {
    const values = names.map((name) => row[name] ?? null);
    // Nothing was joined: the first column names the row, and no row is without its name.
    if (values[0] === null || guard.seals.isRight(guarded, values, row[sealName] ?? null)) continue;
    isRight = false;
    if (!mayBeUsed(guard, guarded, values)) return { row: undefined, isRight };
  }
  if (!adds) return { row, isRight };
  const asked: Row = {};
  for (const name of Object.keys(row)) if (!isAdded(name)) asked[name] = row[name]!;
  return { row: asked, isRight };
}

const G = GUARD_PREFIX.charCodeAt(0);
/** Asked of every column of every row: the first character tells most of them apart. */
const isAdded = (name: string): boolean => name.charCodeAt(0) === G && name.startsWith(GUARD_PREFIX);
