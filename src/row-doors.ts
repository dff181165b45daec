import type { Logger } from 'pino';
import type { House } from './app.ts';
import type { Config } from './config/schema.ts';
import { beginRowSeals, FIRST_START, finishRowSeals } from './crypto/row-sealing.ts';
import { createRowSeals, type RingRowSeals } from './crypto/row-seals.ts';
import { createRowCheck, sealAllAsTheyStand, sealAsItStands } from './crypto/row-walks.ts';
import type { Ledger, LedgerEvent } from './ledger/ledger.ts';
import type { Database } from './storage/database.ts';
import { guardDatabase } from './storage/guarded-database.ts';
import { guardedTable } from './storage/guarded-tables.ts';
import { type NightlyJob, type RunningNightlyJob, startNightlyJob } from './storage/nightly-job.ts';
import type { RowGuard } from './storage/row-guard.ts';

/** The store with its rows under seal. */
export interface RowSealing {
  /** What everything but this part works on: reads are judged, writes sealed. */
  readonly database: Database;
  readonly raw: Database;
  readonly seals: RingRowSeals;
  readonly tell: (place: string) => void;
  /** How rows are judged that lie elsewhere than in this store. */
  readonly guard: RowGuard;
  /** To be called once, with the ledger there: seals a store that never was. */
  readonly finish: (ledger: Ledger) => Promise<void>;
}

export interface RowDoors {
  /** The walk over every row under seal, at so many rows a second. */
  readonly rowCheck: (rowsPerSecond: number) => NightlyJob;
  /** Seals a row as it stands: an operator has looked at it. False where there is no such row or table. */
  readonly sealRow: (table: string, name: readonly string[], reason: string) => Promise<boolean>;
  /** Seals every row that does not match. Resolves with how many there were. */
  readonly sealAlteredRows: (reason: string) => Promise<number>;
}

/** Puts the rows of a store under seal, with keys out of the root (crypto/master-keys.ts). `tell` hears of every row that does not match, as `table:row`. */
export async function openRowSealing(
  { keys }: Config,
  raw: Database,
  rootKey: Uint8Array,
  tell: (place: string) => void,
): Promise<RowSealing> {
  const seals = createRowSeals(rootKey);
  const guard: RowGuard = { seals, tell, refuses: keys.alteredRows === 'refuse' };
  const database = guardDatabase(raw, guard);
  const isDone = await beginRowSeals(raw, seals);
  return {
    database,
    raw,
    seals,
    tell,
    guard,
    async finish(ledger) {
      if (isDone) return;
      await finishRowSeals(raw, seals, (tx, rows) =>
        ledger.append(tx, { type: 'row.sealed', actor: 'system', details: { origin: FIRST_START, rows } }),
      );
    },
  };
}

/** The event of a row that does not match its seal. */
export function alteredRowEvent(place: string): LedgerEvent {
  const [table = '', ...row] = place.split(':');
  return { type: 'row.altered', outcome: 'failure', actor: 'system', details: { table, row: row.join(':') } };
}

export function createRowDoors({ raw, seals, tell }: RowSealing, ledger: Ledger): RowDoors {
  const sealRow: RowDoors['sealRow'] = (table, name, reason) => {
    const guarded = guardedTable(table);
    if (guarded === undefined || name.length !== guarded.row.length) return Promise.resolve(false);
    return raw.write(async (tx) => {
      if (!(await sealAsItStands(tx, seals, guarded, name))) return false;
      const details = { origin: 'command line', table, row: name.join(':'), rows: 1, reason };
      await ledger.append(tx, { type: 'row.sealed', details });
      return true;
    });
  };
  return {
    rowCheck: (rowsPerSecond) =>
      createRowCheck({
        raw,
        seals,
        rowsPerSecond,
        tell,
        done: (tx, round) => ledger.append(tx, { type: 'row.checked', actor: 'system', details: { ...round } }),
      }),
    sealRow,
    async sealAlteredRows(reason) {
      const rows = await sealAllAsTheyStand(raw, seals);
      if (rows > 0) await ledger.record({ type: 'row.sealed', details: { origin: 'command line', rows, reason } });
      return rows;
    },
  };
}

/** Has every row held against its seal at night, by whichever node comes first. */
export const runRowNights = (
  { database, config, rowCheck }: House,
  log: Logger,
  isOurs: () => boolean,
): RunningNightlyJob =>
  startNightlyJob({
    database,
    job: rowCheck(config.keys.checkedPerSecond),
    isOurs,
    window: config.recheck.window,
    onFault: (error) => log.error({ err: error }, 'the check of sealed rows broke off and is tried again'),
  });
