import type { LedgerEntry } from '../ledger/entry.ts';
import type { EventType } from '../ledger/events.ts';
import { dayNumber } from '../web/language.ts';
import type { TrailDay, TrailKind, TrailLine } from '../web/pages.ts';
import { GROUPED, ITEM_DETAILS, KINDS, REPORTABLE, WITH_ITEMS } from './trail-kinds.ts';

/** Somebody who is acted for, by id. */
export interface Principal {
  readonly kind: 'legal' | 'natural';
  readonly id: string;
}

/**
 * A line as the ledger gives it: portal by client_id, browsers and addresses as they were sent. Personal values are missing
 * where they were erased.
 */
export interface RawLine {
  readonly seq: number;
  readonly kind: TrailKind;
  readonly at: number;
  readonly since: number;
  readonly count: number;
  readonly clientId: string | undefined;
  /** Whom it was done for, or whose company it is about. */
  readonly principal: Principal | undefined;
  readonly userAgents: readonly string[];
  readonly addresses: readonly string[];
  readonly items: readonly string[];
  readonly reportable: boolean;
  /** Entries the line stands for. */
  readonly entryCount: number;
}

/** The entries a line opens the personal values of; more of the same say nothing new. */
export const OPENED_PER_LINE_MAX = 20;
const ITEMS_MAX = 20;
/** Sessions that end together are ended one after the other. */
const TOGETHER_SECONDS = 60;

const TYPE = /"type":"([a-z.-]+)","ua":(?:null|"c:[^"]*"),"v":1\}$/;

/**
 * Whether an entry is one people read, from its canonical text alone: most entries about a person tell of tokens, and need not be
 * parsed. What the pattern does not recognise is parsed to be sure.
 */
export const mayBeShown = (canonical: string): boolean => {
  const type = TYPE.exec(canonical)?.[1];
  return type === undefined || Object.hasOwn(KINDS, type);
};

/** The line of one entry, or undefined for an entry people do not read. `opened` holds its personal values by field. Pure. */
export function lineOf(seq: number, entry: LedgerEntry, opened: Readonly<Record<string, string>>): RawLine | undefined {
  const choice = Object.hasOwn(KINDS, entry.type) ? KINDS[entry.type as EventType] : undefined;
  if (choice === undefined) return undefined;
  const kind = typeof choice === 'function' ? choice(entry) : choice;
  const { data } = entry;
  const at = secondsOf(entry.ts);
  const { repeated } = data;
  return {
    seq,
    kind,
    at,
    since: typeof data.since === 'string' ? Math.min(at, secondsOf(data.since) || at) : at,
    count: typeof repeated === 'number' && repeated > 1 ? repeated : 1,
    clientId: entry.client ?? undefined,
    principal: principalOf(entry),
    userAgents: opened.ua === undefined ? [] : [opened.ua],
    addresses: opened.ip === undefined ? [] : [opened.ip],
    items: WITH_ITEMS.has(kind) ? ITEM_DETAILS.flatMap((name) => namesIn(data[name])).slice(0, ITEMS_MAX) : [],
    reportable: REPORTABLE.has(kind),
    entryCount: 1,
  };
}

/** Whether `older`, the next entry back, belongs to the line above it: the same on the same day, with nothing between. Pure. */
export function belongsTo(line: RawLine, older: Pick<RawLine, 'kind' | 'at'>): boolean {
  if (!GROUPED.has(line.kind) || line.kind !== older.kind || dayNumber(line.at) !== dayNumber(older.at)) return false;
  return line.kind === 'refused' || line.since - older.at <= TOGETHER_SECONDS;
}

/** The line with one more entry. Pure. */
export function joined(line: RawLine, older: RawLine): RawLine {
  return {
    ...line,
    since: Math.min(line.since, older.since),
    count: line.count + older.count,
    userAgents: [...new Set([...line.userAgents, ...older.userAgents])],
    addresses: [...new Set([...line.addresses, ...older.addresses])],
    entryCount: line.entryCount + 1,
  };
}

/** Lines that stand newest first, divided by the days of Beijing time. Pure. */
export function byDay(lines: readonly TrailLine[], now: number): readonly TrailDay[] {
  const today = dayNumber(now);
  return [...Map.groupBy(lines, ({ at }) => dayNumber(at))].map(([day, ofDay]) => ({
    at: ofDay[0]!.at,
    ...(day === today ? { relative: 'today' as const } : day === today - 1 ? { relative: 'yesterday' as const } : {}),
    lines: ofDay,
  }));
}

const principalOf = ({ data, subject }: LedgerEntry): Principal | undefined => {
  const { legalPerson, represented } = data;
  if (typeof legalPerson === 'string') return { kind: 'legal', id: legalPerson };
  return typeof represented === 'string' && represented !== subject ? { kind: 'natural', id: represented } : undefined;
};

const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1000);

/** Scopes and claims stand in the ledger as a list or as one text with blanks. */
const namesIn = (value: LedgerEntry['data'][string] | undefined): readonly string[] => {
  if (Array.isArray(value)) return value;
  return typeof value === 'string' ? value.split(' ').filter((name) => name !== '') : [];
};
