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

const INSERT = `INSERT INTO outbox (id, topic, payload, state, attempts, due_at, created_at, finished_at, last_error, order_key, occasion)
  VALUES ($1, $2, $3, 'waiting', 0, $4, $5, NULL, NULL, $6, $7)`;

/**
 * Puts a delivery into the transaction of the change it tells of: both happen or neither (R15). Resolves with its id. Call `wake()` of
 * the worker after the commit; without it the worker notices within a second. Deliveries of one `orderKey` are made one at a time and the
 * older first: the younger wait while an older one is tried again. By its `occasion` it is found later. Throws `Fault('internal')` on a payload above 16 KiB.
 */
export async function enqueue(
  tx: Transaction,
  delivery: {
    readonly topic: string;
    readonly payload: DeliveryPayload;
    readonly orderKey?: string;
    readonly occasion?: string;
    /** It is not tried before so many seconds have passed. */
    readonly delaySeconds?: number;
  },
): Promise<string> {
  const payload = JSON.stringify(delivery.payload);
  if (payload.length > PAYLOAD_CHARACTERS_MAX)
    throw new Fault('internal', `outbox payload of topic ${delivery.topic} is too large`);
  const id = newId('dlv');
  const now = nowSeconds();
  await tx.run(INSERT, [
    id,
    delivery.topic,
    payload,
    now + (delivery.delaySeconds ?? 0),
    now,
    delivery.orderKey ?? null,
    delivery.occasion ?? null,
  ]);
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

export interface DeliveryFilter {
  readonly topic?: string;
  readonly state?: Row['state'];
  /** The portal, where deliveries of the topic are for portals. */
  readonly clientId?: string;
  readonly limit: number;
}

/** The newest deliveries first, at most 500. Reads the rows of a portal among all others: for an operator, not for a page. */
export async function deliveries(database: Database, filter: DeliveryFilter): Promise<readonly Delivery[]> {
  let query = database.query.selectFrom('outbox').selectAll();
  if (filter.topic !== undefined) query = query.where('topic', '=', filter.topic);
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  // A first sieve: what LIKE takes for a wildcard is told apart below.
  if (filter.clientId !== undefined) query = query.where('payload', 'like', `%"clientId":"${filter.clientId}"%`);
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(Math.min(filter.limit, LIST_MAX))
    .execute();
  const { clientId } = filter;
  return rows.map(fromRow).filter(({ payload }) => clientId === undefined || payload.clientId === clientId);
}

const REVIVE = `UPDATE outbox SET state = 'waiting', attempts = 0, due_at = $2, created_at = $2, finished_at = NULL, last_error = NULL
  WHERE id = $1 AND state = 'dead'`;

/** Lets a delivery that was given up begin anew, with its whole time before it. False when it is no dead one any more. */
export async function reviveDelivery(tx: Transaction, id: string): Promise<boolean> {
  return (await tx.run(REVIVE, [id, nowSeconds()])) === 1;
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

/** Every delivery of one occasion, the oldest first; at most 500. */
export async function statesOfOccasion(
  database: Database,
  occasion: string,
): Promise<readonly Pick<Delivery, 'payload' | 'state'>[]> {
  const rows = await database.query
    .selectFrom('outbox')
    .select(['payload', 'state'])
    .where('occasion', '=', occasion)
    .orderBy('id')
    .limit(LIST_MAX)
    .execute();
  return rows.map(({ payload, state }) => ({ payload: JSON.parse(payload) as DeliveryPayload, state }));
}

/** Deletes up to `limit` deliveries that ended more than `keepSeconds` ago; resolves with how many. */
export function sweepOutbox(
  database: Database,
  options: { readonly keepSeconds: number; readonly limit: number },
): Promise<number> {
  const sql = `DELETE FROM outbox WHERE id IN
    (SELECT id FROM outbox WHERE state IN ('delivered', 'dead') AND finished_at < $1 LIMIT $2)
    AND state IN ('delivered', 'dead') AND finished_at < $1`;
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
