import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HeldNote } from '../../src/ledger/verifying/held-notes.ts';
import type { Database } from '../../src/storage/database.ts';
import { type BuiltLedger, buildLedger, type LedgerPlan, openBuiltLedger } from './ledger-builder.ts';
import { type ExportLines, rangeOf, recordsOf } from './ledger-exports.ts';
import type { SeededRandom } from './seeded-random.ts';

/** A ledger that goes its own way from `at` on, signed with the same key, and an export of it. */
export interface Fork {
  readonly at: number;
  readonly ledger: BuiltLedger;
}

/** What tamperings are done to: a ledger, exports of it, its tables, and histories that contradict it. */
export interface DrillMaterial {
  readonly folder: string;
  /** A folder with the notes of the true ledger, as an auditor keeps them. */
  readonly notesFolder: string;
  readonly held: readonly HeldNote[];
  readonly ledger: BuiltLedger;
  readonly backup: BuiltLedger;
  readonly forks: readonly Fork[];
  readonly ranges: readonly ExportLines[];
  readonly records: readonly ExportLines[];
  readonly database: Database;
  close(): Promise<void>;
}

export const SIZES = [256, 300, 512, 700, 1024, 1100, 1500, 1536, 1800, 2048, 2300, 2400] as const;
const LEDGER_SIZE = 2450;
const BACKUP_SIZE = 1536;
const RANGE_COUNT = 24;
const RANGE_LENGTH_MIN = 150;
const RANGE_LENGTH_MAX = 500;
const RECORDS_COUNT = 6;
const RECORDS_LENGTH = 12;
const FORK_COUNT = 5;
const NEWEST = SIZES[SIZES.length - 1]!;

/** A stretch of the ledger for an export: often across tiles, sometimes from the beginning or to the end. */
export function stretch(random: SeededRandom): { readonly from: number; readonly to: number } {
  const length = RANGE_LENGTH_MIN + random.below(RANGE_LENGTH_MAX - RANGE_LENGTH_MIN);
  const from = random.pick([0, 256, random.below(NEWEST - length), random.below(NEWEST - length), NEWEST - length]);
  return { from, to: Math.min(NEWEST, from + length) };
}

/** Builds everything once; thousands of cases are cut from it. The caller closes it. */
export async function prepareDrill(seed: number, random: SeededRandom): Promise<DrillMaterial> {
  const plan: LedgerPlan = { seed, size: LEDGER_SIZE, checkpointSizes: SIZES, cosignedSize: 1500 };
  const ledger = await buildLedger(plan);
  const older = SIZES.filter((size) => size <= BACKUP_SIZE);
  const backup = await buildLedger({ ...plan, size: BACKUP_SIZE, checkpointSizes: older });
  const forks: Fork[] = [];
  for (let count = 0; count < FORK_COUNT; count += 1) {
    const at = random.below(NEWEST - 1);
    forks.push({ at, ledger: await buildLedger({ ...plan, forkAt: at }) });
  }
  const ranges: ExportLines[] = [await rangeOf(ledger, 0, 512, 512), await rangeOf(ledger, 300, 300, 700)];
  while (ranges.length < RANGE_COUNT) {
    const { from, to } = stretch(random);
    ranges.push(await rangeOf(ledger, from, to, random.pick(SIZES.filter((size) => size >= to))));
  }
  const records: ExportLines[] = [];
  while (records.length < RECORDS_COUNT) {
    const seqs = new Set(Array.from({ length: RECORDS_LENGTH }, () => random.below(NEWEST)));
    records.push(
      await recordsOf(
        ledger,
        [...seqs].sort((left, right) => left - right),
        NEWEST,
      ),
    );
  }
  const folder = await mkdtemp(join(tmpdir(), 'tongban-drill-'));
  const notesFolder = join(folder, 'notes');
  await mkdir(notesFolder);
  for (const { size, note } of ledger.notes) await writeFile(join(notesFolder, `${size}.note`), note);
  const database = await openBuiltLedger(folder, ledger);
  return {
    folder,
    notesFolder,
    held: ledger.notes.map(({ size, note }) => ({ note, broughtAs: `${size}.note` })),
    ledger,
    backup,
    forks,
    // An export without entries is judged as it is, but there is nothing in it to tamper with.
    ranges: ranges.filter(({ header }) => header.from < header.to),
    records,
    database,
    close: async () => {
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
