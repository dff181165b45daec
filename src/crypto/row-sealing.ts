import { Fault } from '../shared/fault.ts';
import type { Connection, Database, SqlValue, Transaction } from '../storage/database.ts';
import { isRow } from '../storage/guarded-statements.ts';
import {
  coveredColumns,
  type GuardedTable,
  KEYS_TABLE,
  LASTING_TABLES,
  PASSING_TABLES,
  ROW_SEAL,
} from '../storage/guarded-tables.ts';
import { type CoveredValues, coveredOf } from '../storage/row-guard.ts';
import { equalInConstantTime } from './digests.ts';
import type { RingRowSeals } from './row-seals.ts';

const FIND_MARK = 'SELECT value FROM settings WHERE name = $1';
const SET_MARK = 'INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING';
/** Rows sealed in one transaction. */
const ROWS_AT_ONCE = 500;

export type SealedRow = Readonly<Record<string, SqlValue>>;

/** Rows of a table in the order of their names, as they stand in the store; nothing is judged. `after` is the name of the row before. */
export function rowsAfter(
  connection: Connection,
  guarded: GuardedTable,
  after: readonly string[] | undefined,
  rowsMax: number,
): Promise<readonly SealedRow[]> {
  const { table, row } = guarded;
  const columns = [...coveredColumns(guarded), ROW_SEAL].join(', ');
  const names = row.join(', ');
  const places = row.map((_column, place) => `$${place + 2}`).join(', ');
  const where = after === undefined ? '' : ` WHERE (${names}) > (${places})`;
  const sql = `SELECT ${columns} FROM ${table}${where} ORDER BY ${names} LIMIT $1`;
  return connection.all<SealedRow>(sql, [rowsMax, ...(after ?? [])]);
}

export const nameOf = ({ row }: GuardedTable, found: SealedRow): readonly string[] =>
  row.map((column) => String(found[column]));

/** Gives a row the seal of what was read of it, if it still has the seal that was read. True when it did. */
export async function resealRow(
  tx: Transaction,
  guarded: GuardedTable,
  values: CoveredValues,
  seal: Uint8Array,
  before: Uint8Array | null,
): Promise<boolean> {
  const name = values.slice(0, guarded.row.length);
  const still = before === null ? `${ROW_SEAL} IS NULL` : `${ROW_SEAL} = $${name.length + 2}`;
  const sql = `UPDATE ${guarded.table} SET ${ROW_SEAL} = $1 WHERE ${isRow(guarded, 2)} AND ${still}`;
  return (await tx.run(sql, [seal, ...name, ...(before === null ? [] : [before])])) === 1;
}

/** Seals every row of these tables that has no seal, as it stands. `raw` is the store itself, which judges nothing. Resolves with how many. */
export async function sealUnsealed(
  raw: Database,
  seals: RingRowSeals,
  tables: readonly GuardedTable[],
): Promise<number> {
  let sealed = 0;
  for (const guarded of tables) {
    let after: readonly string[] | undefined;
    for (;;) {
      const rows = await rowsAfter(raw, guarded, after, ROWS_AT_ONCE);
      const bare = rows.filter((row) => row[ROW_SEAL] === null).map((row) => coveredOf(guarded, row));
      sealed += await raw.write(async (tx) => {
        let count = 0;
        for (const values of bare) {
          if (await resealRow(tx, guarded, values, seals.seal(guarded, values), null)) count += 1;
        }
        return count;
      });
      if (rows.length < ROWS_AT_ONCE) break;
      after = nameOf(guarded, rows.at(-1)!);
    }
  }
  return sealed;
}

const isKeys = ({ table }: GuardedTable): boolean => table === KEYS_TABLE;

/** Says in the ledger that the rows of a store were sealed as they stood. */
export const FIRST_START = 'first start';
/** Every start of a server says in the ledger that it found the seals. As the ledger writes it: members in the order of their names. */
export const SEALED_START = { passing: 'sealed', rows: 'sealed' } as const;
/** Entries that one statement looks through: it ends long before any time limit, however long the ledger is. */
const LOOKED_THROUGH = 20_000;
const LAST_ENTRY = 'SELECT MAX(seq) AS last FROM ledger_entries';
const SAID_BEFORE = 'SELECT 1 AS one FROM ledger_entries WHERE seq > $1 AND seq <= $2 AND entry LIKE $3 LIMIT 1';

/** Tables that came under seal with one version. Where the mark stands in `settings`, every row has had its seal, and one without is altered. */
interface Generation {
  readonly mark: string;
  readonly statement: string;
  readonly said: string;
  readonly tables: readonly GuardedTable[];
}

const GENERATIONS: readonly Generation[] = [
  {
    mark: 'rows.sealed',
    statement: 'every row has its seal',
    said: '%"rows":"sealed"%"type":"server.started"%',
    tables: LASTING_TABLES,
  },
  {
    mark: 'rows.sealed.passing',
    statement: 'every passing row has its seal',
    said: '%"passing":"sealed"%"type":"server.started"%',
    tables: PASSING_TABLES,
  },
];

/**
 * Before the ring is opened: whether this store has all its seals already. Where it never had any, the rows of `keys` are sealed as they stand,
 * for without them there is no ring. Throws `Fault('internal')` where the ledger says that the store had its seals and a mark is gone: somebody
 * took it away, so that altered rows would be sealed as they stand.
 */
export async function beginRowSeals(raw: Database, seals: RingRowSeals): Promise<boolean> {
  let isDone = true;
  for (const { mark, statement, said, tables } of GENERATIONS) {
    const found = await raw.get<{ value: string }>(FIND_MARK, [mark]);
    if (found !== undefined) {
      if (!equalInConstantTime(found.value, seals.statement(statement))) throw new Fault('internal', markWrong(mark));
      continue;
    }
    if (await ledgerTells(raw, said)) throw new Fault('internal', markGone(mark));
    isDone = false;
    await sealUnsealed(raw, seals, tables.filter(isKeys));
  }
  return isDone;
}

/** Reads the whole ledger once, the newest first; a store that is new has none. */
async function ledgerTells(raw: Database, said: string): Promise<boolean> {
  const { last } = (await raw.get<{ last: number | null }>(LAST_ENTRY, [])) ?? { last: null };
  for (let to = last ?? -1; to >= 0; to -= LOOKED_THROUGH) {
    if ((await raw.get(SAID_BEFORE, [to - LOOKED_THROUGH, to, said])) !== undefined) return true;
  }
  return false;
}

/** With the ring open: seals what is left. Each mark is set with what `tell` writes of it, unless another node was faster or nothing was there. */
export async function finishRowSeals(
  raw: Database,
  seals: RingRowSeals,
  tell: (tx: Transaction, rows: number) => Promise<void>,
): Promise<void> {
  for (const { mark, statement, tables } of GENERATIONS) {
    if ((await raw.get(FIND_MARK, [mark])) !== undefined) continue;
    const unsealed = tables.filter((guarded) => !isKeys(guarded));
    const rows = await sealUnsealed(raw, seals, unsealed);
    await raw.write(async (tx) => {
      if ((await tx.run(SET_MARK, [mark, seals.statement(statement)])) === 1 && rows > 0) await tell(tx, rows);
    });
  }
}

/** More than any ring ever has. */
const KEYS_MAX = 100_000;
const RAISE_MARK = 'UPDATE settings SET value = $2 WHERE name = $1';

/**
 * Brings what stands under keys out of the root under those of another: the seals of `keys` and the marks. Resolves with how many keys there are.
 * Throws `Fault('row_altered')` for one that does not match its seal.
 */
export async function carryRowSeals(tx: Transaction, before: RingRowSeals, after: RingRowSeals): Promise<number> {
  const keys = LASTING_TABLES.find(isKeys)!;
  const rows = await rowsAfter(tx, keys, undefined, KEYS_MAX);
  for (const row of rows) {
    const values = coveredOf(keys, row);
    const seal = row[ROW_SEAL];
    if (!(seal instanceof Uint8Array) || !before.isRight(keys, values, seal)) {
      throw new Fault('row_altered', `The key ${nameOf(keys, row).join(':')} is not as this house wrote it.`);
    }
    await resealRow(tx, keys, values, after.seal(keys, values), seal);
  }
  for (const { mark, statement } of GENERATIONS) await tx.run(RAISE_MARK, [mark, after.statement(statement)]);
  return rows.length;
}

const markWrong = (mark: string): string =>
  `The setting ${mark} in the store was made with another root than that of this store, or was altered. Nothing is sealed or served.`;
const markGone = (mark: string): string =>
  `The ledger says that the rows of this store have had their seals, but the setting ${mark} is gone: somebody removed it, so that altered rows would be sealed as they stand. See docs/keys.md.`;
