import { setImmediate as nextTurn } from 'node:timers/promises';
import { type LedgerEntry, parseEntry } from '../../ledger/entry.ts';
import type { LedgerReader, StoredEntry } from '../../ledger/reader.ts';
import { severityOf } from './bodies/feed-event.ts';
import type { FeedMessage } from './feed.ts';
import { type FeedSetting, passes } from './feed-setting.ts';

export const BATCH_EVENTS_MAX = 256;
const BATCH_BYTES_MAX = 262_144;
/** A turn of the event loop for every so many entries: parsing and opening them all at once would hold up sign-ins. */
const ENTRIES_A_TURN = 32;
/** Opening costs a query and a decipherment an entry. */
const OPENED_A_TURN = 8;

/** The first batch out of a stretch of the ledger. */
export interface Batch {
  readonly messages: readonly FeedMessage[];
  /** The number after the last entry looked at; undefined when all of them were. */
  readonly end: number | undefined;
  /** Entries that are none of ours: altered, or damaged. */
  readonly unreadable: readonly number[];
  /** Below this number entries were removed by two approvers (L13); 0 when none of the entries says so. */
  readonly prunedBelow: number;
  /** When the first of the entries was written. */
  readonly firstTs: string | undefined;
}

export interface MessageSources {
  readonly setting: FeedSetting;
  readonly reader: LedgerReader;
  /** The version of the product. */
  readonly version: string;
}

/** Turns entries into messages until there are `eventsMax`, or the bytes are enough. `previous` is the message before them. */
export async function nextBatch(
  { setting, reader, version }: MessageSources,
  entries: readonly StoredEntry[],
  previous: number | null,
  eventsMax: number,
): Promise<Batch> {
  const messages: FeedMessage[] = [];
  const unreadable: number[] = [];
  const aTurn = setting.reveal ? OPENED_A_TURN : ENTRIES_A_TURN;
  let bytes = 0;
  let prunedBelow = 0;
  let firstTs: string | undefined;
  const batch = (end: number | undefined): Batch => ({ messages, end, unreadable, prunedBelow, firstTs });

  for (const [index, stored] of entries.entries()) {
    if (index % aTurn === aTurn - 1) await nextTurn();
    const entry = parseEntry(stored.entry);
    if (entry === undefined) {
      unreadable.push(stored.seq);
      continue;
    }
    firstTs ??= entry.ts;
    if (passes(setting.filter, entry.type, severityOf(entry.type))) {
      if (messages.length === eventsMax) return batch(stored.seq);
      const opened = setting.reveal ? await openedOf(reader, stored) : {};
      const before = messages.at(-1)?.seq ?? previous;
      const message = messageOf(setting, version, { seq: stored.seq, previous: before, entry, opened });
      bytes += Buffer.byteLength(message.text);
      if (messages.length > 0 && bytes > BATCH_BYTES_MAX) return batch(stored.seq);
      messages.push(message);
    }
    if (entry.type === 'audit.prune') prunedBelow = Math.max(prunedBelow, Number(entry.data.to) || 0);
  }
  return batch(undefined);
}

/** Address and browser in the clear. Other personal values, such as the reasons operators gave, stay inside. */
async function openedOf(reader: LedgerReader, stored: StoredEntry): Promise<Readonly<Record<string, string>>> {
  if (stored.keyId === null) return {};
  const { ip, ua } = await reader.open(stored);
  return { ...(ip === undefined ? {} : { ip }), ...(ua === undefined ? {} : { ua }) };
}

interface MessageParts {
  readonly seq: number | null;
  readonly previous: number | null;
  readonly entry: LedgerEntry;
  readonly opened: Readonly<Record<string, string>>;
}

/** One event in the words of the feed. */
export function messageOf(setting: FeedSetting, version: string, event: MessageParts): FeedMessage {
  const { seq, previous, entry } = event;
  const { ts, node, type } = entry;
  const text = setting.format.body(event, setting.fields, version);
  return { seq, previous, ts, node, type, severity: severityOf(type), text };
}

/** One stored entry on its own, outside the order of the feed; undefined when it cannot be read. */
export async function singleMessage(
  { setting, reader, version }: MessageSources,
  stored: StoredEntry,
): Promise<FeedMessage | undefined> {
  const entry = parseEntry(stored.entry);
  if (entry === undefined) return undefined;
  const opened = setting.reveal ? await openedOf(reader, stored) : {};
  return messageOf(setting, version, { seq: stored.seq, previous: null, entry, opened });
}
