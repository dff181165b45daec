import { nowSeconds } from '../shared/clock.ts';
import { settleChain, takeChain } from './counter-chains.ts';
import { type Allowance, type Counters, holdByTaking, type Settled, takenOf } from './counters.ts';
import type { Database, SqlValue, Transaction } from './database.ts';
import { createHolding, type HeldCounts, type StoredCount } from './held-counts.ts';

/** A window that is over starts again in the same statement that would have counted in it. The present time is `$1`. */
const COUNT = `ON CONFLICT (name) DO UPDATE SET
    value = CASE WHEN counters.expires_at <= $1 THEN 1 ELSE counters.value + 1 END,
    expires_at = CASE WHEN counters.expires_at <= $1 THEN excluded.expires_at ELSE counters.expires_at END`;
const TAKE = `INSERT INTO counters (name, value, expires_at) VALUES ($2, 1, $3) ${COUNT} RETURNING value`;
const TAKE_ALL = 'INSERT INTO counters (name, value, expires_at) VALUES';
const READ = 'SELECT value FROM counters WHERE name = $1 AND expires_at > $2';
const READ_ALL = 'SELECT name, value, expires_at FROM counters WHERE expires_at > $1 AND name IN';
const RETURN = 'UPDATE counters SET value = value - 1 WHERE value > 0 AND expires_at > $1 AND name IN';

interface Row {
  readonly name: string;
  readonly value: number;
  readonly expires_at: number;
}

/** Of what is kept, a power cut may take the last, a crash of the process none: what tells somebody of a failure is durable, and makes this so. */
const WITH_THE_NEXT = { durable: false } as const;

const places = (names: readonly string[], first: number): string => names.map((_, at) => `$${first + at}`).join(', ');

async function readIn(
  on: Pick<Transaction, 'all'>,
  names: readonly string[],
  now: number,
): Promise<readonly (StoredCount | undefined)[]> {
  if (names.length === 0) return [];
  const rows = await on.all<Row>(`${READ_ALL} (${places(names, 2)})`, [now, ...names]);
  return names.map((name) => {
    const row = rows.find((one) => one.name === name);
    return row && { value: row.value, expiresAt: row.expires_at };
  });
}

async function writeTakes(tx: Transaction, taken: readonly Allowance[], now: number): Promise<void> {
  const rows = taken.map((_, at) => `($${2 + 2 * at}, 1, $${3 + 2 * at})`).join(', ');
  const values = taken.flatMap(({ name, windowSeconds }) => [name, now + windowSeconds + 1]);
  await tx.run(`${TAKE_ALL} ${rows} ${COUNT}`, [now, ...values]);
}

/** In two statements, whatever their number: under the one writer's lock nobody counts between them. */
async function takeTogether(tx: Transaction, allowances: readonly Allowance[]): Promise<number> {
  const now = nowSeconds();
  const names = allowances.map(({ name }) => name);
  const counted = (await readIn(tx, names, now)).map((stored) => stored?.value ?? 0);
  const { place, taken } = takenOf(allowances, counted);
  if (taken.length > 0) await writeTakes(tx, taken, now);
  return place;
}

/**
 * Counters that outlive a restart and are shared by all nodes: for limits that guard an account (S5). With `held` this process is the only one that
 * counts: what may not come to count is not written.
 */
export function createSqlCounters(database: Database, held?: HeldCounts): Counters {
  const isPostgres = database.engine === 'postgres';
  const takeIn = async (on: Pick<Transaction, 'get'>, name: string, windowSeconds: number): Promise<number> => {
    const now = nowSeconds();
    // The present second has begun already: without one more the window would end up to a second early.
    return (await on.get<{ value: number }>(TAKE, [now, name, now + windowSeconds + 1]))!.value;
  };
  // One statement is a transaction of its own on PostgreSQL: no BEGIN and COMMIT to wait for.
  const take: Counters['take'] = (name, windowSeconds) =>
    isPostgres ? takeIn(database, name, windowSeconds) : database.write((tx) => takeIn(tx, name, windowSeconds));
  /** One statement, so one COMMIT: each would be a message of its own otherwise, and a flush to disk. */
  const takeChained = async (allowances: readonly Allowance[]): Promise<number> => {
    if (allowances.length === 0) return -1;
    const now = nowSeconds();
    const params = allowances.flatMap(({ name, max, windowSeconds }) => [name, now + windowSeconds + 1, max]);
    // The most of the last is nobody's condition.
    const row = await database.get<Record<string, number | null>>(takeChain(allowances.length), [
      now,
      ...params.slice(0, -1),
    ]);
    return allowances.findIndex(({ max }, step) => (row![`v${step}`] ?? 0) > max);
  };
  const chainOf = ({ cleared, returned }: Settled): readonly [string, SqlValue[]] => {
    const now = returned.length > 0 ? [nowSeconds()] : [];
    return [settleChain(returned.length, cleared.length), [...returned, ...cleared, ...now]];
  };
  const settleIn = (tx: Transaction, settled: Settled): void => {
    const { cleared, returned } = settled;
    if (cleared.length + returned.length === 0) return;
    // It locks in the order of `takeChain`, and nothing of the transaction comes behind it.
    if (isPostgres) {
      tx.postLast(...chainOf(settled));
      return;
    }
    if (cleared.length > 0) tx.post(`DELETE FROM counters WHERE name IN (${places(cleared, 1)})`, cleared);
    if (returned.length > 0) tx.post(`${RETURN} (${places(returned, 2)})`, [nowSeconds(), ...returned]);
  };
  const settle = async (settled: Settled, tx?: Transaction): Promise<void> => {
    held?.takeBack(settled);
    if (tx !== undefined) settleIn(tx, settled);
    // Alone, and not in a group: two nodes could lock the places of several people in different orders.
    else if (isPostgres && settled.cleared.length + settled.returned.length > 0) {
      await database.get(...chainOf(settled));
    } else if (!isPostgres) await database.write(async (own) => settleIn(own, settled));
  };
  const holdAlone =
    held &&
    createHolding({
      held,
      read: (names) => readIn(database, names, nowSeconds()),
      write: (taken) => database.write((tx) => writeTakes(tx, taken, nowSeconds()), WITH_THE_NEXT),
      settle,
    });
  const takeWithin = async (allowances: readonly Allowance[]): Promise<number> => {
    if (isPostgres) return takeChained(allowances);
    if (holdAlone === undefined) return database.write((tx) => takeTogether(tx, allowances), WITH_THE_NEXT);
    const { place, keep } = await holdAlone(allowances);
    await keep();
    return place;
  };
  return {
    take,
    takeWithin,
    hold: holdAlone ?? ((allowances) => holdByTaking({ takeWithin, settle }, allowances)),
    read: async (name) => (await database.get<{ value: number }>(READ, [name, nowSeconds()]))?.value ?? 0,
    readAll: async (names) => (await readIn(database, names, nowSeconds())).map((one) => one?.value ?? 0),
    settlesInside: true,
    settle,
  };
}
