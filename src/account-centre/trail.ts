import type { LedgerEntry } from '../ledger/entry.ts';
import type { EventType } from '../ledger/events.ts';
import { dayNumber } from '../web/language.ts';
import type { TrailDay, TrailKind, TrailLine } from '../web/pages.ts';

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

type Kinds = Partial<Record<EventType, TrailKind | ((entry: LedgerEntry) => TrailKind)>>;

const ENDINGS: Readonly<Record<string, TrailKind>> = {
  signed_out: 'signed-out',
  ended_by_person: 'session-ended',
  person_frozen: 'ended-by-freeze',
  person_disabled: 'ended-by-disabling',
};
/** How a password got there with the account itself, which is no change of one. */
const FIRST_PASSWORD_ORIGINS: readonly unknown[] = ['registration', 'demo'];

/** What of the ledger a person reads. Everything else is between machines, or told by one of these. */
const KINDS: Kinds = {
  'sign-in.succeeded': ({ data }) => (data.device === 'new' ? 'signed-in-new-device' : 'signed-in'),
  'sign-in.refused': ({ data }) => (data.session === undefined ? 'refused' : 'proof-refused'),
  'sign-in.renewed': 'proven-again',
  'personal-data.shown': 'data-shown',
  'portal.entered': 'entered',
  'personal-data.released': 'released',
  'consent.given': 'consent-given',
  'consent.denied': 'consent-denied',
  'consent.withdrawn': 'consent-withdrawn',
  'password.changed': ({ data }) =>
    FIRST_PASSWORD_ORIGINS.includes(data.origin) ? 'password-set' : 'password-changed',
  'session.ended': ({ data }) => {
    const cause = String(data.cause);
    return Object.hasOwn(ENDINGS, cause) ? ENDINGS[cause]! : 'ended-otherwise';
  },
  'person.added': 'account-opened',
  'person.disabled': 'account-disabled',
  'person.enabled': 'account-enabled',
  'document.added': 'document-added',
  'document.removed': 'document-removed',
  'document.verified': 'document-proven',
  'identifier.bound': 'identifier-bound',
  'identifier.released': ({ data }) => (data.cause === 'taken_over' ? 'identifier-taken' : 'identifier-released'),
  'identity.level-changed': ({ data }) => (Number(data.after) < Number(data.before) ? 'level-fell' : 'level-rose'),
  'person.closing': 'account-closing',
  'person.kept': 'account-kept',
  'person.notified': ({ data }) => (data.notice === undefined ? 'noticed' : 'told'),
  'person.frozen': ({ data }) => (data.cause === 'reported_by_person' ? 'frozen-by-person' : 'frozen-by-watch'),
};

const REPORTABLE: ReadonlySet<TrailKind> = new Set([
  'account-closing',
  'account-kept',
  'signed-in',
  'signed-in-new-device',
  'refused',
  'proof-refused',
  'proven-again',
  'data-shown',
  'entered',
  'released',
  'consent-given',
  'password-changed',
  'document-added',
  'document-removed',
  'identifier-bound',
  'identifier-released',
  'identifier-taken',
  'noticed',
  'told',
]);
/** Kinds that say which data they are about. */
const WITH_ITEMS: ReadonlySet<TrailKind> = new Set([
  'released',
  'consent-given',
  'consent-denied',
  'document-added',
  'document-removed',
  'identifier-bound',
  'identifier-released',
  'identifier-taken',
  'told',
]);
/** The details such a kind is told by. */
const ITEM_DETAILS = ['scopes', 'claims', 'notice', 'type', 'identifier'] as const;
/** Kinds of which several in a row are one line. */
const GROUPED: ReadonlySet<TrailKind> = new Set([
  'refused',
  'proof-refused',
  'ended-by-freeze',
  'ended-by-disabling',
  'ended-otherwise',
]);

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

const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1000);

/** Scopes and claims stand in the ledger as a list or as one text with blanks. */
const namesIn = (value: LedgerEntry['data'][string] | undefined): readonly string[] => {
  if (Array.isArray(value)) return value;
  return typeof value === 'string' ? value.split(' ').filter((name) => name !== '') : [];
};
