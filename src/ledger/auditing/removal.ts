import { Fault } from '../../shared/fault.ts';
import type { Database, Transaction } from '../../storage/database.ts';
import { indexRows, type NumberedEntry } from '../sequencing/entry-index.ts';
import { TILE_WIDTH } from '../tree/tiles.ts';
import type { Span } from './search.ts';

/** Entries one transaction removes at most: four tiles, so that nobody who writes waits long. */
export const REMOVED_AT_ONCE = 4 * TILE_WIDTH;

const FIRST = 'SELECT seq FROM ledger_entries ORDER BY seq LIMIT 1';
const ROWS = 'SELECT seq, entry, address_key FROM ledger_entries WHERE seq >= $1 AND seq < $2 ORDER BY seq';
const DELETE_ENTRIES = 'DELETE FROM ledger_entries WHERE seq >= $1 AND seq < $2';
const DELETE_TILES = 'DELETE FROM ledger_tiles WHERE level = 0 AND position >= $1 AND position < $2';
/** Rows end with their tile, so what lies within whole tiles finds nothing else. */
const DELETE_INDEX = 'DELETE FROM ledger_index WHERE kind = $1 AND key = $2 AND seq >= $3 AND seq < $4';
const DELETE_INDEX_JSON = `DELETE FROM ledger_index USING json_array_elements($1::json) AS rows (value)
  WHERE kind = value ->> 0 AND key = value ->> 1 AND seq >= (value ->> 2)::bigint AND seq < (value ->> 3)::bigint`;

/** The number of the first entry that is still stored. */
export async function firstStored(connection: Pick<Database, 'get'>): Promise<number> {
  return Number((await connection.get<{ seq: number }>(FIRST, []))?.seq ?? 0);
}

/**
 * Removes the entries of a span that begins and ends with a tile, their hashes of level 0 and what they are found by; the levels
 * above stay (L13). The span is not longer than `REMOVED_AT_ONCE`. Only ever called for what an `audit.prune` entry tells of.
 */
export async function removeEntries(tx: Transaction, engine: Database['engine'], { start, end }: Span): Promise<void> {
  if (start % TILE_WIDTH !== 0 || end % TILE_WIDTH !== 0 || end - start > REMOVED_AT_ONCE) {
    throw new Fault('internal', `Entries ${start} to ${end} of the ledger are not a few whole tiles.`);
  }
  const rows = await tx.all<NumberedEntry>(ROWS, [start, end]);
  const found = new Map(rows.flatMap(indexRows).map(([kind, key]) => [`${kind} ${key}`, [kind, key, start, end]]));
  if (engine === 'postgres') await tx.run(DELETE_INDEX_JSON, [JSON.stringify([...found.values()])]);
  else for (const keyed of found.values()) await tx.run(DELETE_INDEX, keyed);
  await tx.run(DELETE_ENTRIES, [start, end]);
  await tx.run(DELETE_TILES, [start / TILE_WIDTH, end / TILE_WIDTH]);
}
