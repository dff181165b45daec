import { type LedgerEntry, parseEntry } from '../entry.ts';
import { type LedgerReader, READ_MAX, type StoredEntry } from '../reader.ts';

/** What is looked for. Members that are left out do not narrow anything. */
export interface EntryFilter {
  readonly personId?: string | undefined;
  /** The address of a browser or device, as it was recorded. */
  readonly address?: string | undefined;
  readonly clientId?: string | undefined;
  /** Types of events, or their beginnings with `*` behind. */
  readonly types?: readonly string[] | undefined;
  readonly outcome?: LedgerEntry['outcome'] | undefined;
  /** Epoch milliseconds, inclusive. */
  readonly fromMs?: number | undefined;
  /** Epoch milliseconds, exclusive. */
  readonly toMs?: number | undefined;
}

export interface Match {
  readonly stored: StoredEntry;
  readonly entry: LedgerEntry;
}

/** Numbers of entries, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export type OnProgress = (done: number, total: number) => void;

/** Finds entries among those that are signed and not removed. Shows nobody anything: whoever asks is on record first. */
export interface LedgerSearch {
  /** Entries that are signed and still stored. */
  stored(): Promise<Span>;
  /** The number of the first entry of `span` that is dated `ms` or later; `span.end` when there is none. */
  firstAt(ms: number, span: Span): Promise<number>;
  /** Everything that matches, newest first. Persons and addresses are found through the index, the rest by reading on. */
  matches(filter: EntryFilter, onProgress?: OnProgress): AsyncGenerator<Match>;
  /** The newest `limit` matches in the order of their numbers, and whether there are older ones. */
  newest(
    filter: EntryFilter,
    limit: number,
    onProgress?: OnProgress,
  ): Promise<{ readonly matches: readonly Match[]; readonly more: boolean }>;
}

const INDEX_PAGE = 512;
/** Entries looked at between two turns of the event loop: a few milliseconds. */
const STRETCH = 512;
/**
 * Entries are in the order of their dates but for seconds between nodes, or more where a clock was set. Who asks for a time gets
 * what is dated so even if it was written this much earlier or later.
 */
const DATE_MARGIN_MS = 600_000;

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createLedgerSearch(reader: LedgerReader): LedgerSearch {
  const stored = async (): Promise<Span> => {
    const [[first], end] = [await reader.read(0, 1), await reader.signedSize()];
    return { start: first?.seq ?? end, end };
  };

  const firstAt = async (ms: number, { start, end }: Span): Promise<number> => {
    let [low, high] = [start, end];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [found] = await reader.read(middle, 1);
      const entry = found && parseEntry(found.entry);
      if (entry === undefined || Date.parse(entry.ts) >= ms) high = middle;
      else low = middle + 1;
    }
    return low;
  };

  const spanOf = async ({ fromMs, toMs }: EntryFilter): Promise<Span> => {
    const all = await stored();
    return {
      start: fromMs === undefined ? all.start : await firstAt(fromMs - DATE_MARGIN_MS, all),
      end: toMs === undefined ? all.end : await firstAt(toMs + DATE_MARGIN_MS, all),
    };
  };

  const candidates = ({ personId, address }: EntryFilter, span: Span, onProgress?: OnProgress) => {
    const people =
      personId === undefined ? undefined : indexed((at) => reader.subjectEntries(personId, at, INDEX_PAGE), span);
    const addresses =
      address === undefined ? undefined : indexed((at) => reader.addressEntries(address, at, INDEX_PAGE), span);
    if (people !== undefined && addresses !== undefined) return both(people, addresses);
    return people ?? addresses ?? backwards(reader, span, onProgress);
  };

  async function* matches(filter: EntryFilter, onProgress?: OnProgress): AsyncGenerator<Match> {
    const matching = matcherOf(filter);
    let looked = 0;
    for await (const candidate of candidates(filter, await spanOf(filter), onProgress)) {
      looked += 1;
      if (looked % STRETCH === 0) await pause();
      const entry = matching(candidate.entry);
      if (entry !== undefined) yield { stored: candidate, entry };
    }
  }

  return {
    stored,
    firstAt,
    matches,
    async newest(filter, limit, onProgress) {
      const found: Match[] = [];
      for await (const match of matches(filter, onProgress)) {
        if (found.length === limit) return { matches: found.reverse(), more: true };
        found.push(match);
      }
      return { matches: found.reverse(), more: false };
    },
  };
}

async function* backwards(reader: LedgerReader, { start, end }: Span, onProgress?: OnProgress) {
  for (let below = end; below > start; ) {
    const from = Math.max(start, below - READ_MAX);
    yield* (await reader.read(from, below - from)).toReversed();
    below = from;
    onProgress?.(end - below, end - start);
  }
}

async function* indexed(page: (before: number) => Promise<readonly StoredEntry[]>, { start, end }: Span) {
  for (let before = end; ; ) {
    const entries = await page(before);
    for (const entry of entries) {
      if (entry.seq < start) return;
      yield entry;
    }
    const last = entries.at(-1);
    if (last === undefined) return;
    before = last.seq;
  }
}

/** What stands in both, each from the highest number down. */
async function* both(left: AsyncGenerator<StoredEntry>, right: AsyncGenerator<StoredEntry>) {
  let [mine, other] = [await left.next(), await right.next()];
  while (mine.done !== true && other.done !== true) {
    if (mine.value.seq === other.value.seq) yield mine.value;
    if (mine.value.seq > other.value.seq) mine = await left.next();
    else other = await right.next();
  }
}

/**
 * Reads an entry and says whether it is looked for; person and address are not judged here. An entry that cannot match is told
 * by its text: a canonical entry has exactly one spelling of each member, and looking for it is far cheaper than parsing.
 */
export function matcherOf(filter: EntryFilter): (text: string) => LedgerEntry | undefined {
  const { clientId, outcome, types, fromMs = -Infinity, toMs = Infinity } = filter;
  const needles: readonly (readonly string[])[] = [
    ...(clientId === undefined ? [] : [[`"client":${JSON.stringify(clientId)}`]]),
    ...(outcome === undefined ? [] : [[`"outcome":"${outcome}"`]]),
    ...(types === undefined
      ? []
      : [types.map((type) => (type.endsWith('*') ? `"type":"${type.slice(0, -1)}` : `"type":"${type}"`))]),
  ];
  const isType = (type: string): boolean =>
    types === undefined ||
    types.some((wanted) => (wanted.endsWith('*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted));
  return (text) => {
    if (!needles.every((spellings) => spellings.some((spelling) => text.includes(spelling)))) return undefined;
    const entry = parseEntry(text);
    if (entry === undefined || !isType(entry.type)) return undefined;
    if (clientId !== undefined && entry.client !== clientId) return undefined;
    if (outcome !== undefined && entry.outcome !== outcome) return undefined;
    const at = Date.parse(entry.ts);
    return at >= fromMs && at < toMs ? entry : undefined;
  };
}
