import { setImmediate } from 'node:timers/promises';
import { parseEntry } from '../ledger/entry.ts';
import type { LedgerReader, StoredEntry } from '../ledger/reader.ts';
import { belongsTo, joined, lineOf, mayBeShown, OPENED_PER_LINE_MAX, type RawLine } from './trail.ts';

export type TrailSource = Pick<LedgerReader, 'subjectEntries' | 'open'>;

/** Some lines of a trail, newest first, and before which number the next ones begin; undefined at the very first entry. */
export interface TrailPage {
  readonly lines: readonly RawLine[];
  readonly olderBefore: number | undefined;
}

/** Entries read at once: a few milliseconds of work, after which others have their turn. */
const READ_AT_ONCE = 100;
/** Entries looked at for one page. An app that refreshes its tokens all day writes thousands of them between two lines. */
const ENTRIES_PER_PAGE_MAX = 10_000;

/**
 * At most `linesMax` lines about a person from before entry `before` (from the newest on when undefined). May have fewer lines
 * while older ones exist; `olderBefore` then says where to go on.
 */
export async function readTrail(
  source: TrailSource,
  personId: string,
  before: number | undefined,
  linesMax: number,
): Promise<TrailPage> {
  const lines: RawLine[] = [];
  let next = before;
  for (let seen = 0; seen < ENTRIES_PER_PAGE_MAX; seen += READ_AT_ONCE) {
    if (seen > 0) await setImmediate();
    const entries = await source.subjectEntries(personId, next, READ_AT_ONCE, 'without_tokens');
    for (const stored of entries) {
      const line = await readLine(source, stored, lines.at(-1));
      if (line !== undefined) {
        const last = lines.at(-1);
        if (last !== undefined && belongsTo(last, line)) lines[lines.length - 1] = joined(last, line);
        else if (lines.length === linesMax) return { lines, olderBefore: next };
        else lines.push(line);
      }
      next = stored.seq;
    }
    if (entries.length < READ_AT_ONCE) return { lines, olderBefore: undefined };
  }
  return { lines, olderBefore: next };
}

/** The line that begins with this entry; undefined when the entry is not theirs, or not one that is shown. */
export async function findLine(source: TrailSource, personId: string, seq: number): Promise<RawLine | undefined> {
  const [line] = (await readTrail(source, personId, seq + 1, 1)).lines;
  return line?.seq === seq ? line : undefined;
}

async function readLine(
  source: TrailSource,
  stored: StoredEntry,
  above: RawLine | undefined,
): Promise<RawLine | undefined> {
  const entry = mayBeShown(stored.entry) ? parseEntry(stored.entry) : undefined;
  if (entry === undefined) return undefined;
  const closed = lineOf(stored.seq, entry, {});
  if (closed === undefined) return undefined;
  const isOneOfMany = above !== undefined && belongsTo(above, closed) && above.entryCount >= OPENED_PER_LINE_MAX;
  return isOneOfMany ? closed : lineOf(stored.seq, entry, await source.open(stored));
}
