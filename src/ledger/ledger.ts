import { nowMs } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { EventType } from './events.ts';

/** One thing that happened: who, what, where, with what outcome. Members that do not apply are left out. */
export interface LedgerEvent {
  readonly type: EventType;
  readonly outcome?: 'success' | 'failure';
  readonly personId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly sessionUid?: string | undefined;
  readonly address?: string | undefined;
  /** The request id under which the log has the same request. */
  readonly correlation?: string | undefined;
  readonly details?: Readonly<Record<string, string | number | readonly string[]>>;
}

export interface Ledger {
  /** Writes the event in the transaction of the change it tells of. */
  append(tx: Transaction, event: LedgerEvent): Promise<void>;
  /** Writes an event that changes nothing else, by group commit. Resolves when it is durable. */
  record(event: LedgerEvent): Promise<void>;
}

const INSERT = `INSERT INTO ledger_events
  (at_ms, type, outcome, person_id, client_id, session_uid, address, correlation, details)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`;

/** The ledger on the relational store. Rows are only ever inserted. */
export function createLedger(database: Database): Ledger {
  const append = async (tx: Transaction, event: LedgerEvent): Promise<void> => {
    await tx.run(INSERT, [
      nowMs(),
      event.type,
      event.outcome ?? 'success',
      event.personId ?? null,
      event.clientId ?? null,
      event.sessionUid ?? null,
      event.address ?? null,
      event.correlation ?? null,
      event.details === undefined ? '{}' : JSON.stringify(event.details),
    ]);
  };
  return { append, record: (event) => database.write((tx) => append(tx, event)) };
}
