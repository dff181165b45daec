import { parseEntry } from '../ledger/entry.ts';
import { nowMs, nowSeconds } from '../shared/clock.ts';
import type { Database } from '../storage/database.ts';
import type { KeyReading, LedgerReading } from './metric-sources.ts';

const LEDGER = `SELECT (SELECT MAX(seq) FROM ledger_entries) AS last_seq,
  (SELECT size FROM ledger_checkpoints ORDER BY size DESC LIMIT 1) AS signed,
  (SELECT at_ms FROM ledger_checkpoints ORDER BY size DESC LIMIT 1) AS signed_at_ms`;
const ENTRY = 'SELECT entry FROM ledger_entries WHERE seq >= $1 ORDER BY seq LIMIT 1';
const INBOX = 'SELECT COUNT(*) AS count FROM ledger_inbox';
const FIRST_IN_INBOX = 'SELECT entry FROM ledger_inbox ORDER BY id LIMIT 1';

interface LedgerRow {
  readonly last_seq: number | null;
  readonly signed: number | null;
  readonly signed_at_ms: number | null;
}

/** How far the ledger is written and signed: look-ups by primary key, whatever its size. */
export async function readLedger(database: Database): Promise<LedgerReading> {
  const row = await database.get<LedgerRow>(LEDGER, []);
  const numbered = row?.last_seq == null ? 0 : row.last_seq + 1;
  const unnumbered =
    database.engine === 'postgres' ? ((await database.get<{ count: number }>(INBOX, []))?.count ?? 0) : 0;
  const signed = row?.signed ?? 0;
  const entries = numbered + unnumbered;
  return {
    entries,
    unsigned: Math.max(0, entries - signed),
    unsignedMs: entries > signed ? await ageOfFirst(database, signed, numbered) : 0,
    checkpointAgeMs: row?.signed_at_ms == null ? undefined : Math.max(0, nowMs() - row.signed_at_ms),
  };
}

async function ageOfFirst(database: Database, signed: number, numbered: number): Promise<number> {
  const row =
    numbered > signed
      ? await database.get<{ entry: string }>(ENTRY, [signed])
      : await database.get<{ entry: string }>(FIRST_IN_INBOX, []);
  // The sequencer may have moved or signed it a moment ago.
  const entry = row && parseEntry(row.entry);
  return entry === undefined ? 0 : Math.max(0, nowMs() - Date.parse(entry.ts));
}

const INCIDENTS = "SELECT level, COUNT(*) AS count FROM incidents WHERE status <> 'closed' GROUP BY level";
const LEVELS = ['I', 'II', 'III', 'IV'] as const;

/** Incidents that are not closed, by level of GB/T 20986; every level is named. */
export async function readIncidents(database: Database): Promise<Readonly<Record<string, number>>> {
  const rows = await database.all<{ level: string; count: number }>(INCIDENTS, []);
  return Object.fromEntries(LEVELS.map((level) => [level, rows.find((row) => row.level === level)?.count ?? 0]));
}

const WAITING = "SELECT COUNT(*) AS count FROM outbox WHERE state = 'waiting'";

/** Messages of the outbox that are neither delivered nor dead. */
export async function readDeliveriesWaiting(database: Database): Promise<number> {
  return (await database.get<{ count: number }>(WAITING, []))?.count ?? 0;
}

const KEYS = `SELECT kid, alg, state, activated_at, retires_at FROM keys WHERE purpose = 'signing' ORDER BY alg, created_at, kid`;
const DAY_SECONDS = 86_400;

interface KeyRow {
  readonly kid: string;
  readonly alg: string;
  readonly state: string;
  readonly activated_at: number | null;
  readonly retires_at: number | null;
}

/** The published keys. A current key is to be replaced `rotationDays` after it began to sign; a replaced one is removed at its end. */
export async function readKeys(database: Database, rotationDays: number): Promise<readonly KeyReading[]> {
  const rows = await database.all<KeyRow>(KEYS, []);
  return rows.map(({ kid, alg, state, activated_at, retires_at }) => ({
    kid,
    alg,
    state,
    retiresAt: state === 'current' ? (activated_at ?? 0) + rotationDays * DAY_SECONDS : (retires_at ?? undefined),
  }));
}

/** Its row in `counters` expires by itself: the sweeper takes what a node that is gone has left. */
const PROBE = `INSERT INTO counters (name, value, expires_at) VALUES ('readiness', 1, $1)
  ON CONFLICT (name) DO UPDATE SET value = counters.value + 1, expires_at = excluded.expires_at`;
const PROBE_SECONDS = 3600;

/** Writes one small row durably: the only way to learn of a full or a read-only disk before a citizen does (X5). */
export async function probeWrite(database: Database): Promise<void> {
  await database.run(PROBE, [nowSeconds() + PROBE_SECONDS]);
}

const PROBE_ENTRY = {
  sqlite: `INSERT INTO ledger_entries (seq, entry) SELECT coalesce(max(seq) + 1, 0), '' FROM ledger_entries`,
  postgres: `INSERT INTO ledger_inbox (entry) VALUES ('')`,
} as const;

/** Writes an entry and undoes it: whether the ledger would take what happens next (H4). Throws what the store said when it would not. */
export async function probeLedger(database: Database): Promise<void> {
  const undone = new Error('an entry that was only tried');
  try {
    await database.write(async (tx) => {
      await tx.run(PROBE_ENTRY[database.engine], []);
      throw undone;
    });
  } catch (error) {
    if (error !== undone) throw error;
  }
}
