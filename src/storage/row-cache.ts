import { BoundedMap } from '../shared/bounded-map.ts';
import type { Database } from './database.ts';

/**
 * Rows kept in memory beside the store, as the store gave them. Whoever changes a row forgets it here after its commit; what
 * other processes change is noticed by `Database.foreignCommits` and empties everything. Where nobody can tell what others do
 * (several nodes on one server), nothing is kept at all.
 */
export interface RowCache<Row> {
  /** The kept row, or what `load` finds, which is then kept. */
  find<Found extends Row | undefined>(key: string, load: () => Promise<Found>): Promise<Row | Found>;
  /** The kept row alone, without waiting. */
  kept(key: string): Row | undefined;
  forget(key: string): void;
  forgetWhere(matches: (row: Row) => boolean): void;
}

/** `rowsMax` bounds the memory; the oldest rows go first. */
export function createRowCache<Row>(database: Database, rowsMax: number): RowCache<Row> {
  const rows = new BoundedMap<string, Row>(rowsMax);
  let stamp: number | undefined;
  /** Rises with every change made here, so that a row read before a change is not kept after it. */
  let changes = 0;

  const isUsable = (): boolean => {
    const seen = database.foreignCommits();
    if (seen === undefined) return false;
    if (seen !== stamp) {
      rows.clear();
      changes += 1;
      stamp = seen;
    }
    return true;
  };

  return {
    async find<Found extends Row | undefined>(key: string, load: () => Promise<Found>): Promise<Row | Found> {
      if (!isUsable()) return load();
      const kept = rows.get(key);
      if (kept !== undefined) return kept;
      const before = changes;
      const row = await load();
      if (row !== undefined && before === changes) rows.set(key, row);
      return row;
    },
    kept: (key) => (isUsable() ? rows.get(key) : undefined),
    forget(key) {
      changes += 1;
      rows.delete(key);
    },
    forgetWhere(matches) {
      changes += 1;
      for (const [key, row] of rows) if (matches(row)) rows.delete(key);
    },
  };
}
