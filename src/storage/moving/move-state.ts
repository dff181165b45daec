import { nowSeconds } from '../../shared/clock.ts';
import type { Connection, Database, Transaction } from '../database.ts';
import { migrate, pendingMigrations } from '../migrate.ts';
import { MOVE_UNDER_WAY } from '../move-mark.ts';
import { isMissingTable, unavailable } from '../storage-errors.ts';
import type { MovedTable } from './moved-tables.ts';
import type { Place } from './row-walking.ts';

/** How far one table has been carried. */
export interface TableState {
  readonly moved: number;
  readonly place: Place | undefined;
}

/** What a move into a target knows of itself: which store it carries, and how far each table has come. */
export interface MoveState {
  /** Names the source and its content when the move began. */
  readonly source: string;
  readonly tables: ReadonlyMap<string, TableState>;
}

interface StateRow {
  readonly name: string;
  readonly moved: number;
  readonly place: string | null;
}

/** In the target, for the time of the move: a row a table, and one without a name that says from where. */
const CREATE = 'CREATE TABLE move_state (name TEXT PRIMARY KEY NOT NULL, moved BIGINT NOT NULL, place TEXT)';
const READ = 'SELECT name, moved, place FROM move_state';
const INSERT = 'INSERT INTO move_state (name, moved, place) VALUES ($1, 0, $2)';
const ADVANCE = 'UPDATE move_state SET moved = moved + $3, place = $4 WHERE name = $1 AND moved = $2';
const MARK = 'INSERT INTO migrations (id, name, applied_at) VALUES ($1, $2, $3)';
const UNMARK = 'DELETE FROM migrations WHERE id = $1';
const NO_TABLE = '';

/** The state of a move that was begun; undefined where there is none. */
export async function readMoveState(target: Pick<Connection, 'all'>): Promise<MoveState | undefined> {
  const rows = await target.all<StateRow>(READ, []).catch((error: unknown) => {
    if (isMissingTable(error)) return undefined;
    throw error;
  });
  if (rows === undefined) return undefined;
  const source = rows.find(({ name }) => name === NO_TABLE)?.place ?? '';
  const tables = rows
    .filter(({ name }) => name !== NO_TABLE)
    .map(({ name, moved, place }): [string, TableState] => [
      name,
      { moved, place: place === null ? undefined : (JSON.parse(place) as Place) },
    ]);
  return { source, tables: new Map(tables) };
}

/** What a schema that was just made holds: the tree of a ledger without entries. */
const SEEDS: Readonly<Record<string, string>> = { ledger_tree: 'size > 0' };

/** The first table in which something stands, of those that are to be filled; undefined where the target is as good as new. */
export async function occupiedTable(
  target: Pick<Connection, 'all'>,
  tables: readonly MovedTable[],
): Promise<string | undefined> {
  await pendingMigrations(target);
  for (const name of [...tables.map((table) => table.name), 'ledger_inbox']) {
    const where = Object.hasOwn(SEEDS, name) ? ` WHERE ${SEEDS[name]}` : '';
    const found = await target.all(`SELECT 1 AS one FROM ${name}${where} LIMIT 1`, []).catch((error: unknown) => {
      if (isMissingTable(error)) return [];
      throw error;
    });
    if (found.length > 0) return name;
  }
  return undefined;
}

/** Makes the schema of an empty target and begins a move into it. From here on no server of any version opens it. */
export async function beginMove(target: Database, tables: readonly MovedTable[], source: string): Promise<void> {
  await migrate(target);
  await target.write(async (tx) => {
    await tx.run(CREATE, []);
    await tx.run(INSERT, [NO_TABLE, source]);
    for (const { name } of tables) {
      await tx.run(INSERT, [name, null]);
      if (Object.hasOwn(SEEDS, name)) await tx.run(`DELETE FROM ${name}`, []);
    }
    await tx.run(MARK, [MOVE_UNDER_WAY.id, MOVE_UNDER_WAY.name, nowSeconds()]);
  });
}

/** Writes down, with the rows themselves, that a table has come so far. Throws when somebody else has carried some meanwhile. */
export async function advance(
  tx: Transaction,
  table: string,
  before: number,
  rows: number,
  place: Place,
): Promise<void> {
  if ((await tx.run(ADVANCE, [table, before, rows, JSON.stringify(place)])) === 1) return;
  throw unavailable('Another move works on this target. Let it end.');
}

/** The move is done: the target may be opened. */
export async function endMove(tx: Transaction): Promise<void> {
  await tx.run('DROP TABLE move_state', []);
  await tx.run(UNMARK, [MOVE_UNDER_WAY.id]);
}
