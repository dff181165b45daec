import { type EntryValue, isCommitment, type LedgerEntry } from '../../../ledger/entry.ts';
import type { EventKind, Severity } from '../../../ledger/event-kind.ts';
import { EVENTS, eventKind } from '../../../ledger/events.ts';

/** An entry of the ledger as the bodies see it. */
export interface FeedEvent {
  /** Null for a test message, which is no entry. */
  readonly seq: number | null;
  readonly previous: number | null;
  readonly entry: LedgerEntry;
  /** Personal values that may be told, by field (`ip`, `ua`). Empty unless the feed reveals them. */
  readonly opened: Readonly<Record<string, string>>;
}

/** The product, as it names itself to receivers. */
export const VENDOR = 'Tongban';
export const PRODUCT = 'Tongban ID';

/** The event that `tongban feed test` sends; it is not in the catalogue because the ledger never holds one. */
export const TEST_TYPE = 'feed.test';

/** What a field can be filled from, beside `data.<name>` for each detail of the catalogue. */
export const SOURCES = [
  'seq',
  'previousSeq',
  'ts',
  'timeMs',
  'node',
  'type',
  'means',
  'severity',
  'outcome',
  'actor',
  'subject',
  'client',
  'ip',
  'ua',
  'corr',
  'clause',
] as const;

const DETAIL = 'data.';

/** `session` stands in the data of any event that belongs to one. */
const DETAILS: ReadonlySet<string> = new Set([
  'session',
  ...Object.values<EventKind>(EVENTS).flatMap(({ details }) => Object.keys(details)),
]);

/** Whether a field can be filled from `source`. */
export const isSource = (source: string): boolean =>
  SOURCES.some((known) => known === source) || (source.startsWith(DETAIL) && DETAILS.has(source.slice(DETAIL.length)));

/** How loud an event is. A type that only a newer version knows is worth a notice. */
export const severityOf = (type: string): Severity => eventKind(type)?.severity ?? 'notice';

/** One sentence on what happened. */
export const meansOf = (type: string): string =>
  eventKind(type)?.means ?? (type === TEST_TYPE ? 'A test message: nothing happened.' : 'An event of a newer version.');

/**
 * The value of a source; undefined where the event has none. A commitment tells a receiver nothing, so a personal value is
 * there only when it has been opened.
 */
export function fieldValue(event: FeedEvent, source: string): EntryValue | undefined {
  const { entry } = event;
  switch (source) {
    case 'seq':
      return event.seq ?? undefined;
    case 'previousSeq':
      return event.previous ?? undefined;
    case 'timeMs':
      return Date.parse(entry.ts);
    case 'means':
      return meansOf(entry.type);
    case 'severity':
      return severityOf(entry.type);
    case 'clause':
      return eventKind(entry.type)?.clause;
    case 'ts':
    case 'node':
    case 'type':
    case 'outcome':
    case 'actor':
    case 'subject':
    case 'client':
    case 'ip':
    case 'ua':
    case 'corr':
      return told(event, source, entry[source] ?? undefined);
    default: {
      const name = source.slice(DETAIL.length);
      return Object.hasOwn(entry.data, name) ? told(event, source, entry.data[name]) : undefined;
    }
  }
}

const told = (event: FeedEvent, source: string, value: EntryValue | undefined): EntryValue | undefined =>
  isCommitment(value) ? (Object.hasOwn(event.opened, source) ? event.opened[source] : undefined) : value;
