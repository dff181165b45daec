import { parseArgs } from 'node:util';
import { RESEALING } from '../crypto/resealing.ts';
import { nightlyJobStatus } from '../storage/nightly-lease.ts';
import type { KeysCommandContext } from './keys.ts';
import { runWatchedJob } from './watched-job.ts';

const OPTIONS = { 'per-second': { type: 'string' }, status: { type: 'boolean' } } as const;
const RATE = /^[1-9]\d{0,4}$/;
const USAGE = 'tongban keys reseal [--per-second N] [--status]   N rows a second, 99999 at most\n';

/**
 * `tongban keys reseal`: goes on with the round that is under way, or begins one. Ctrl-C ends it after the step under way, and the next one goes on
 * there. Exit code 1 while another process works on it, and when rows could not be read.
 */
export async function runReseal(args: readonly string[], context: KeysCommandContext): Promise<number> {
  const { house, stdout, stderr } = context;
  const asked = understood(args);
  if (asked === undefined) {
    stderr.write(USAGE);
    return 2;
  }
  if (asked.status !== true) {
    const rate = asked['per-second'] === undefined ? house.config.keys.resealedPerSecond : Number(asked['per-second']);
    const round = { database: house.database, job: house.resealing(rate) };
    if ((await runWatchedJob(stderr, 'rows', round)) === 'busy') {
      stderr.write('Another process is at it just now; nothing was done twice.\n');
      return 1;
    }
  }
  const status = await nightlyJobStatus(house.database, RESEALING);
  if (status === undefined) {
    stdout.write('Nothing was ever sealed anew.\n');
    return 0;
  }
  const { handled, total, counts, isHeld, finishedAt } = status;
  const { resealed = 0, reindexed = 0, unreadable = 0 } = counts;
  const state = isHeld ? 'running' : finishedAt === undefined ? 'paused' : 'finished';
  stdout.write(`${state}, ${handled} of ${total} rows: ${resealed} values sealed anew, ${reindexed} indexed anew\n`);
  if (unreadable > 0) stderr.write(`${unreadable} values do not open; the ledger names them (sealed-data.altered).\n`);
  return unreadable > 0 ? 1 : 0;
}

function understood(args: readonly string[]) {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: false });
    return RATE.test(values['per-second'] ?? '1') ? values : undefined;
  } catch {
    return undefined;
  }
}
