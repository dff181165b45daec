import type { LedgerReader, StoredEntry } from '../../ledger/reader.ts';
import type { Hole } from './feed-cursor.ts';

/** A stretch of the ledger: its entries, and the numbers among them that are not there. */
export interface LedgerPage {
  readonly entries: readonly StoredEntry[];
  readonly holes: readonly Hole[];
  /** The number after the stretch. */
  readonly end: number;
  /** True when the stretch reaches the newest checkpoint. */
  readonly complete: boolean;
  readonly signedSize: number;
}

/**
 * At most `limit` entries from number `from` on. Numbers have no gaps (L3), so what is missing between two entries, or up to the
 * signed size, has been removed.
 */
export async function readPage(reader: LedgerReader, from: number, limit: number, nowMs: number): Promise<LedgerPage> {
  const signedSize = await reader.signedSize();
  if (from >= signedSize) return { entries: [], holes: [], end: from, complete: true, signedSize };
  const entries = await reader.read(from, limit);
  const complete = entries.length < limit;
  const holes: Hole[] = [];
  let expected = from;
  for (const { seq } of entries) {
    if (seq > expected) holes.push({ from: expected, to: seq, noticedMs: nowMs });
    expected = seq + 1;
  }
  if (complete && expected < signedSize) holes.push({ from: expected, to: signedSize, noticedMs: nowMs });
  return { entries, holes, end: complete ? Math.max(expected, signedSize) : expected, complete, signedSize };
}

const HOLES_MAX = 16;

/** Holes known so far and new ones; one that is found again counts once. Past the limit the last one swallows the rest. */
export function addHoles(known: readonly Hole[], found: readonly Hole[]): readonly Hole[] {
  const all = [...known];
  for (const hole of found) {
    if (all.some(({ from, to }) => from <= hole.from && hole.to <= to)) continue;
    const last = all.at(-1);
    if (all.length < HOLES_MAX || last === undefined) all.push(hole);
    else all[all.length - 1] = { ...last, to: Math.max(last.to, hole.to) };
  }
  return all;
}
