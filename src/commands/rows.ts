import { parseArgs } from 'node:util';
import type { House } from '../app.ts';
import { ROW_CHECK } from '../crypto/row-walks.ts';
import { nightlyJobStatus } from '../storage/nightly-lease.ts';
import { runWatchedJob } from './watched-job.ts';

export interface RowsCommandContext {
  readonly house: Pick<House, 'rowCheck' | 'sealRow' | 'sealAlteredRows' | 'database' | 'config'>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

export const USAGE = `Usage:
  tongban rows check [--per-second N] [--status]
                                   hold every row that decides who may do what against its seal, now; otherwise it is done at night
  tongban rows seal TABLE NAME [NAME] --reason TEXT
                                   seal one row as it stands, because somebody has looked at it; NAME is what names the row
  tongban rows seal --all --reason TEXT
                                   the same for every row that does not match
`;

const OPTIONS = {
  'per-second': { type: 'string' },
  status: { type: 'boolean' },
  all: { type: 'boolean' },
  reason: { type: 'string' },
} as const;
const RATE = /^[1-9]\d{0,5}$/;
const REASON_CHARACTERS_MAX = 500;

/** `tongban rows ...`. Exit code 0 where every row is right or was sealed, 1 where one is not, 2 where the words were not understood. */
export async function run(args: readonly string[], context: RowsCommandContext): Promise<number> {
  const asked = understood(args);
  if (asked === undefined) {
    context.stderr.write(USAGE);
    return 2;
  }
  return asked.action === 'check' ? check(asked.values, context) : seal(asked, context);
}

function understood(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    const [action, ...row] = positionals;
    if (action === 'check' && row.length === 0) {
      const fits = values.all === undefined && values.reason === undefined && RATE.test(values['per-second'] ?? '1');
      return fits ? ({ action, values } as const) : undefined;
    }
    const reason = values.reason?.trim() ?? '';
    const named = values.all === true ? row.length === 0 : row.length === 2 || row.length === 3;
    const fits = reason !== '' && reason.length <= REASON_CHARACTERS_MAX && values.status === undefined && named;
    return action === 'seal' && fits ? ({ action, row, reason } as const) : undefined;
  } catch {
    return undefined;
  }
}

async function check(
  values: { readonly 'per-second'?: string | undefined; readonly status?: boolean | undefined },
  { house, stdout, stderr }: RowsCommandContext,
): Promise<number> {
  if (values.status !== true) {
    const rate = Number(values['per-second'] ?? house.config.keys.checkedPerSecond);
    const round = { database: house.database, job: house.rowCheck(rate) };
    if ((await runWatchedJob(stderr, 'rows', round)) === 'busy') {
      stderr.write('Another process is at it just now; nothing was done twice.\n');
      return 1;
    }
  }
  const status = await nightlyJobStatus(house.database, ROW_CHECK);
  if (status === undefined) {
    stdout.write('Nothing was ever checked.\n');
    return 0;
  }
  const { checked = 0, altered = 0 } = status.counts;
  const state = status.isHeld ? 'running' : status.finishedAt === undefined ? 'paused' : 'finished';
  stdout.write(`${state}, ${checked} of ${status.total} rows held against their seals: ${altered} do not match\n`);
  if (altered > 0)
    stderr.write('The ledger names them (row.altered). Compare each with a backup before it is sealed.\n');
  return altered > 0 ? 1 : 0;
}

async function seal(
  { row, reason }: { readonly row: readonly string[]; readonly reason: string },
  { house, stdout, stderr }: RowsCommandContext,
): Promise<number> {
  const [table, ...name] = row;
  if (table === undefined) {
    stdout.write(`${await house.sealAlteredRows(reason)} rows were sealed as they stand.\n`);
    return 0;
  }
  if (await house.sealRow(table, name, reason)) {
    stdout.write(`${[table, ...name].join(':')} was sealed as it stands.\n`);
    return 0;
  }
  stderr.write('There is no such row under seal. docs/keys.md lists the tables and what names their rows.\n');
  return 1;
}
