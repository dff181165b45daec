import { Fault } from '../../shared/fault.ts';
import type { Database, Transaction } from '../../storage/database.ts';
import { type NumberedEntry, writeIndex } from './entry-index.ts';
import { type StoredTile, type Tree, TreeGrowth } from './tree-growth.ts';

/**
 * Entries in one step. SQLite runs a whole step without a break in the event loop, some five milliseconds for a tile; on
 * PostgreSQL the step waits for the server again and again, and the round trips are what costs.
 */
const STEP_ENTRIES: Readonly<Record<Database['engine'], number>> = { sqlite: 256, postgres: 1024 };
/** When more than this waits, checkpoints come late: then steps are twice as long, since each has an fsync of its own. */
const BEHIND = 4096;

/** How many entries the next step takes. It ends where a tile does, so that no tile is written twice when there is enough. */
export function stepLength(engine: Database['engine'], size: number, waitingCount: number): number {
  const portion = STEP_ENTRIES[engine] * (waitingCount > BEHIND ? 2 : 1);
  return portion - (size % STEP_ENTRIES[engine]);
}

/** Hashed at a stretch where a step is longer than that: two milliseconds. */
const STRETCH = 256;

/** Numbered in one statement: what is deleted from the inbox and what stands in the entries is the same by construction. */
const NUMBER = `WITH moved AS (
    DELETE FROM ledger_inbox WHERE id IN (SELECT id FROM ledger_inbox ORDER BY id LIMIT $1)
    RETURNING id, entry, address_key, key_id, openings)
  INSERT INTO ledger_entries (seq, entry, address_key, key_id, openings)
  SELECT (SELECT coalesce(max(seq), -1) FROM ledger_entries) + row_number() OVER (ORDER BY id),
    entry, address_key, key_id, openings FROM moved`;
const READ = 'SELECT seq, entry, address_key FROM ledger_entries WHERE seq >= $1 ORDER BY seq LIMIT $2';
const WRITE_TILE = `INSERT INTO ledger_tiles (level, position, hashes) VALUES ($1, $2, $3)
  ON CONFLICT (level, position) DO UPDATE SET hashes = excluded.hashes`;
const SIZE = 'SELECT size FROM ledger_tree WHERE id = 1';
const GROW = 'UPDATE ledger_tree SET size = $3 WHERE id = 1 AND fence = $1 AND size = $2';

/**
 * One step of the sequencer, inside a write that holds the lock of the tree: numbers what waits (PostgreSQL), hashes the next
 * entries, at most `limit`, writes their tiles and index rows and raises the size. Resolves with the grown tree, which counts
 * only once the write is committed; the same tree when nothing waited. Throws `Fault('ledger_mismatch')` for a gap in the
 * numbers or a tree of another size than ours: somebody else has written here.
 */
export async function sequenceStep(
  tx: Transaction,
  engine: Database['engine'],
  { tree, fence, limit }: { readonly tree: Tree; readonly fence: number; readonly limit: number },
): Promise<Tree> {
  if (engine === 'postgres') await tx.run(NUMBER, [limit]);
  const entries = await tx.all<NumberedEntry>(READ, [tree.size, limit]);
  if (entries.length === 0) return tree;
  const growth = new TreeGrowth(tree);
  for (const { seq, entry } of entries) {
    if (seq !== growth.size) throw new Fault('ledger_mismatch', `Entry ${growth.size} of the ledger is missing.`);
    growth.append(entry);
    if (growth.size % STRETCH === 0 && engine === 'postgres') await new Promise((resolve) => setImmediate(resolve));
  }
  const grown = growth.finish();
  for (const tile of grown.tiles) await writeTile(tx, tile);
  await writeIndex(tx, engine, entries);
  if ((await tx.run(GROW, [fence, tree.size, grown.tree.size])) === 0) {
    throw new Fault('ledger_mismatch', `The ledger tree no longer has the ${tree.size} entries its sequencer left.`);
  }
  return grown.tree;
}

/**
 * Before a tree is signed: it must be the one that is stored. A store that was set back to a moment while its sequencer went on would else be given a
 * checkpoint of entries it has not got, and open to nobody from then on. Throws `Fault('ledger_mismatch')`.
 */
export async function demandSize(tx: Transaction, size: number): Promise<void> {
  const stored = await tx.get<{ readonly size: number }>(SIZE, []);
  if (stored?.size === size) return;
  throw new Fault('ledger_mismatch', `The ledger tree no longer has the ${size} entries that were to be signed.`);
}

async function writeTile(tx: Transaction, { level, position, hashes }: StoredTile): Promise<void> {
  await tx.run(WRITE_TILE, [level, position, hashes]);
}
