import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import { newId } from '../shared/ids.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { Tables } from '../storage/tables.ts';
import type { DeliveryPayload, Outbox, OutboxOptions } from './outbox-contract.ts';
import { OutboxWorker } from './outbox-worker.ts';

/** One delivery as an administrator sees it. Times are epoch seconds; `dueAt` is the next attempt while `waiting`. */
export interface Delivery {
  readonly id: string;
  readonly topic: string;
  readonly payload: DeliveryPayload;
  readonly state: 'waiting' | 'delivered' | 'dead';
  readonly attempts: number;
  readonly dueAt: number;
  readonly createdAt: number;
  readonly finishedAt: number | null;
  readonly lastError: string | null;
}

type Row = Tables['outbox'];

export const PAYLOAD_CHARACTERS_MAX = 16_384;
const LIST_MAX = 500;

const INSERT = `INSERT INTO outbox (id, topic, payload, state, attempts, due_at, created_at, finished_at, last_error)
  VALUES ($1, $2, $3, 'waiting', 0, $4, $4, NULL, NULL)`;

/**
 * Puts a delivery into the transaction of the change it tells of: both happen or neither (R15). Resolves with its id. Call `wake()` of
 * the worker after the commit; without it the worker notices within a second. Throws `Fault('internal')` on a payload above 16 KiB.
 */
export async function enqueue(
  tx: Transaction,
  delivery: { readonly topic: string; readonly payload: DeliveryPayload },
): Promise<string> {
  const payload = JSON.stringify(delivery.payload);
  if (payload.length > PAYLOAD_CHARACTERS_MAX)
    throw new Fault('internal', `outbox payload of topic ${delivery.topic} is too large`);
  const id = newId('dlv');
  await tx.run(INSERT, [id, delivery.topic, payload, nowSeconds()]);
  return id;
}

/**
 * Starts delivering what waits in the outbox, at least once each, in parallel, in any number of processes. A row is claimed by
 * moving its `due_at` ahead with a compare-and-set: that is its lease, and if the process dies the row is simply due again.
 */
export function startOutbox(options: OutboxOptions): Outbox {
  const worker = new OutboxWorker(options);
  worker.wake();
  return worker;
}

/** The newest deliveries first, at most 500. */
export async function deliveries(
  database: Database,
  filter: { readonly topic?: string; readonly state?: Row['state']; readonly limit: number },
): Promise<readonly Delivery[]> {
  let query = database.query.selectFrom('outbox').selectAll();
  if (filter.topic !== undefined) query = query.where('topic', '=', filter.topic);
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(Math.min(filter.limit, LIST_MAX))
    .execute();
  return rows.map(fromRow);
}

/** The deliveries of these ids that exist, by id; at most 500 ids are looked at. */
export async function statusOf(database: Database, ids: readonly string[]): Promise<ReadonlyMap<string, Delivery>> {
  if (ids.length === 0) return new Map();
  const rows = await database.query
    .selectFrom('outbox')
    .selectAll()
    .where('id', 'in', ids.slice(0, LIST_MAX))
    .execute();
  return new Map(rows.map((row) => [row.id, fromRow(row)]));
}

/** Deletes up to `limit` deliveries that ended more than `keepSeconds` ago; resolves with how many. */
export function sweepOutbox(
  database: Database,
  options: { readonly keepSeconds: number; readonly limit: number },
): Promise<number> {
  const sql = `DELETE FROM outbox WHERE id IN
    (SELECT id FROM outbox WHERE state IN ('delivered', 'dead') AND finished_at < $1 LIMIT $2)`;
  return database.write((tx) => tx.run(sql, [nowSeconds() - options.keepSeconds, options.limit]));
}

const fromRow = (row: Row): Delivery => ({
  id: row.id,
  topic: row.topic,
  payload: JSON.parse(row.payload) as DeliveryPayload,
  state: row.state,
  attempts: row.attempts,
  dueAt: row.due_at,
  createdAt: row.created_at,
  finishedAt: row.finished_at,
  lastError: row.last_error,
});
