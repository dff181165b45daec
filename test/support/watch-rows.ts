import { createBlindIndex } from '../../src/crypto/blind-index.ts';
import { createSealer } from '../../src/crypto/sealing.ts';
import { createLedger, type Ledger, type LedgerEvent } from '../../src/ledger/ledger.ts';
import { createOpenings, type Openings } from '../../src/ledger/openings.ts';
import { createLedgerReader, type LedgerReader } from '../../src/ledger/reader.ts';
import { turnClock } from '../../src/shared/clock.ts';
import type { Database } from '../../src/storage/database.ts';

/** Monday, 2 March 2026, 10:00 in Beijing. */
export const MONDAY_TEN_MS = Date.UTC(2026, 2, 2, 2);

/** Turns the clock of the house to this many seconds after that Monday. */
export const turnTo = (seconds: number): void => turnClock(MONDAY_TEN_MS + seconds * 1000 - Date.now());

/** An event of a scenario: `at` is seconds after that Monday; later ones stay at the time of the one before when it is left out. */
export type ScenarioEvent = LedgerEvent & { readonly at?: number };

export interface WatchedLedger {
  readonly ledger: Ledger;
  readonly reader: LedgerReader;
  readonly openings: Openings;
  /** Writes the events, indexes them by person and lets readers see them. Resolves with the number of the first. */
  write(events: readonly ScenarioEvent[]): Promise<number>;
  /** Lets readers see what others have written. */
  sign(): Promise<void>;
}

/** PostgreSQL numbers what was written when it is known to have been committed. */
const NUMBER = `WITH moved AS (DELETE FROM ledger_inbox RETURNING *)
  INSERT INTO ledger_entries (seq, entry, address_key, key_id, openings)
  SELECT (SELECT coalesce(max(seq) + 1, 0) FROM ledger_entries) + row_number() OVER (ORDER BY id) - 1,
    entry, address_key, key_id, openings FROM moved`;

/** The ledger on a store, with the part of the sequencer readers need: numbers, the index by person and the signed size. */
export function watchedLedger(database: Database): WatchedLedger {
  const index = createBlindIndex(Buffer.alloc(32, 2));
  const openings = createOpenings(database, createSealer(Buffer.alloc(32, 1)));
  const ledger = createLedger({ database, openings, index, node: 'n1' });
  const reader = createLedgerReader({ database, openings, index });
  const sizeNow = async (): Promise<number> =>
    Number(
      (await database.get<{ size: number }>('SELECT coalesce(max(seq) + 1, 0) AS size FROM ledger_entries', []))!.size,
    );

  const sign = async (): Promise<void> => {
    if (database.engine === 'postgres') await database.run(NUMBER, []);
    const rows = await database.all<{ seq: number; entry: string }>(
      'SELECT seq, entry FROM ledger_entries WHERE seq >= $1 ORDER BY seq',
      [await reader.signedSize()],
    );
    await database.write(async (tx) => {
      for (const { seq, entry } of rows) {
        const { subject } = JSON.parse(entry) as { subject: string | null };
        if (subject === null) continue;
        await tx.run("INSERT INTO ledger_index (kind, key, seq) VALUES ('subject', $1, $2)", [subject, seq]);
      }
      const newest = rows.at(-1);
      if (newest === undefined) return;
      const size = Number(newest.seq) + 1;
      await tx.run("INSERT INTO ledger_checkpoints (size, at_ms, note) VALUES ($1, 0, '')", [size]);
    });
  };

  return {
    ledger,
    reader,
    openings,
    sign,
    async write(events) {
      const first = await sizeNow();
      for (const { at, ...event } of events) {
        if (at !== undefined) turnTo(at);
        await ledger.record(event);
      }
      await sign();
      return first;
    },
  };
}
