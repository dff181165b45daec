import type { Connection } from '../../storage/database.ts';
import type { EntryValue, LedgerEntry } from '../entry.ts';
import type { LedgerReader } from '../reader.ts';
import { timeOf } from '../sequencing/ledger-standing.ts';
import { createLedgerSearch, type OnProgress } from './search.ts';

/** How often a type of event happened in a day. */
export interface TypeCount {
  readonly type: string;
  readonly success: number;
  readonly failure: number;
}

/** Something an auditor reads singly: who did what to the ledger, and what the ledger says about itself. */
export interface Act {
  readonly seq: number;
  readonly ts: string;
  readonly type: string;
  readonly actor: string;
  readonly data: Readonly<Record<string, EntryValue>>;
}

export interface DayIncident {
  readonly id: string;
  readonly level: string;
  readonly status: string;
  readonly title: string;
  /** Epoch seconds. */
  readonly discoveredAt: number;
}

/** One day of the ledger, in Beijing time. */
export interface DailyReport {
  /** `YYYY-MM-DD`. */
  readonly day: string;
  readonly count: number;
  readonly failures: number;
  readonly firstSeq: number | undefined;
  readonly lastSeq: number | undefined;
  /** The most frequent first. */
  readonly types: readonly TypeCount[];
  /** Twenty-four of them. */
  readonly hours: readonly { readonly success: number; readonly failure: number }[];
  /** The first two hundred, in their order, and how many there were. */
  readonly acts: readonly Act[];
  readonly actCounts: Readonly<Record<string, number>>;
  readonly gapCount: number;
  readonly checkpoints: Checkpoints;
  readonly incidents: readonly DayIncident[];
  /** Of any day, not closed yet. */
  readonly openIncidentCount: number;
}

/** Of each hour one checkpoint is kept for thirty days, of each day one for ever, and the newest sixty. */
export interface Checkpoints {
  readonly kept: number;
  readonly firstSize: number | undefined;
  readonly lastSize: number | undefined;
  /** The longest that entries of this day stood without a checkpoint that is still kept; 0 when none had to wait. */
  readonly longestWaitMs: number;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const BEIJING_MS = 8 * HOUR_MS;
const ACTS_MAX = 200;
const INCIDENTS_MAX = 50;
const CHECKPOINTS_MAX = 20_000;
/** What is listed singly. */
const ACTS = new Set([
  'audit.opened',
  'audit.search',
  'audit.export',
  'audit.prune-proposed',
  'audit.prune',
  'audit.gap',
  'personal-data.revealed',
  'person.erased',
  'clock.step',
  'configuration.changed',
  'server.started',
  'server.stopped',
  'key.created',
  'key.rotated',
  'key.removed',
]);

const CHECKPOINTS = `SELECT size, at_ms FROM ledger_checkpoints WHERE at_ms >= $1 AND at_ms < $2 ORDER BY size LIMIT $3`;
const CHECKPOINT_BEFORE = 'SELECT size, at_ms FROM ledger_checkpoints WHERE at_ms < $1 ORDER BY size DESC LIMIT 1';
const CHECKPOINT_AFTER = 'SELECT size, at_ms FROM ledger_checkpoints WHERE at_ms >= $1 ORDER BY size LIMIT 1';
const INCIDENTS = `SELECT id, level, status, title, discovered_at FROM incidents
  WHERE discovered_at >= $1 AND discovered_at < $2 ORDER BY discovered_at LIMIT $3`;
const OPEN_INCIDENTS = "SELECT count(*) AS count FROM incidents WHERE status <> 'closed'";

/** The day in Beijing that a moment belongs to, `YYYY-MM-DD`. */
export const dayOf = (ms: number): string => new Date(ms + BEIJING_MS).toISOString().slice(0, 10);

/** When a day begins in Beijing, in epoch milliseconds. */
export const startOf = (day: string): number => Date.parse(`${day}T00:00:00+08:00`);

/** Counts and lists one day. Nothing personal is opened. */
export async function dailyReport(
  { reader, connection }: { readonly reader: LedgerReader; readonly connection: Connection },
  day: string,
  onProgress?: OnProgress,
): Promise<DailyReport> {
  const [fromMs, toMs] = [startOf(day), startOf(day) + DAY_MS];
  const types = new Map<string, { type: string; success: number; failure: number }>();
  const hours = Array.from({ length: 24 }, () => ({ success: 0, failure: 0 }));
  const acts: Act[] = [];
  const actCounts: Record<string, number> = {};
  let [count, failures, firstSeq, lastSeq] = [0, 0, undefined as number | undefined, undefined as number | undefined];
  for await (const { stored, entry } of createLedgerSearch(reader).matches({ fromMs, toMs }, onProgress)) {
    const { type, outcome } = entry;
    // A count stands for many (L12).
    const times = timesOf(entry);
    count += 1;
    firstSeq = stored.seq;
    lastSeq ??= stored.seq;
    if (outcome === 'failure') failures += times;
    const counted = types.get(type) ?? { type, success: 0, failure: 0 };
    counted[outcome] += times;
    types.set(type, counted);
    hours[Math.floor((Date.parse(entry.ts) - fromMs) / HOUR_MS)]![outcome] += times;
    if (!ACTS.has(type)) continue;
    actCounts[type] = (actCounts[type] ?? 0) + 1;
    acts.push({ seq: stored.seq, ts: entry.ts, type, actor: entry.actor, data: entry.data });
    // Newest first: when there are too many the oldest of the day stay, and the counts tell of the others.
    if (acts.length > 2 * ACTS_MAX) acts.splice(0, acts.length - ACTS_MAX);
  }
  const incidents = await connection.all<Omit<DayIncident, 'discoveredAt'> & { readonly discovered_at: number }>(
    INCIDENTS,
    [fromMs / 1000, toMs / 1000, INCIDENTS_MAX],
  );
  return {
    day,
    count,
    failures,
    firstSeq,
    lastSeq,
    types: [...types.values()].sort((left, right) => right.success + right.failure - left.success - left.failure),
    hours,
    acts: acts.slice(-ACTS_MAX).reverse(),
    actCounts,
    gapCount: actCounts['audit.gap'] ?? 0,
    checkpoints: await checkpointsOf({ reader, connection }, fromMs, toMs),
    incidents: incidents.map(({ discovered_at: at, ...incident }) => ({ ...incident, discoveredAt: Number(at) })),
    openIncidentCount: Number((await connection.get<{ count: number }>(OPEN_INCIDENTS, []))?.count ?? 0),
  };
}

function timesOf({ data }: LedgerEntry): number {
  const { repeated } = data;
  return typeof repeated === 'number' && repeated > 0 ? repeated : 1;
}

interface Mark {
  readonly size: number;
  readonly at_ms: number;
}

async function checkpointsOf(
  { reader, connection }: { readonly reader: LedgerReader; readonly connection: Connection },
  fromMs: number,
  toMs: number,
): Promise<Checkpoints> {
  const marks = await connection.all<Mark>(CHECKPOINTS, [fromMs, toMs, CHECKPOINTS_MAX]);
  const before = await connection.get<Mark>(CHECKPOINT_BEFORE, [fromMs]);
  const after = await connection.get<Mark>(CHECKPOINT_AFTER, [toMs]);
  let longestWaitMs = 0;
  let size = Number(before?.size ?? 0);
  for (const mark of [...marks, ...(after === undefined ? [] : [after])]) {
    const [waiting] = await reader.read(size, 1);
    const since = waiting === undefined ? undefined : timeOf(waiting.entry);
    if (since !== undefined && since < toMs) longestWaitMs = Math.max(longestWaitMs, Number(mark.at_ms) - since);
    size = Number(mark.size);
  }
  return {
    kept: marks.length,
    firstSize: marks[0] === undefined ? undefined : Number(marks[0].size),
    lastSize: marks.length === 0 ? undefined : Number(marks.at(-1)!.size),
    longestWaitMs,
  };
}
