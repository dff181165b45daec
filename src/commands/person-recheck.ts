import { parseArgs } from 'node:util';
import { DOCUMENT_EXPIRY } from '../people/document-expiry.ts';
import { PERSON_RECHECK } from '../people/person-recheck.ts';
import type { Database } from '../storage/database.ts';
import type { NightlyJob } from '../storage/nightly-job.ts';
import { type JobStatus, nightlyJobStatus } from '../storage/nightly-lease.ts';
import type { ExitCode } from './person-words.ts';
import { runWatchedJob } from './watched-job.ts';

export interface RecheckContext {
  readonly database: Database;
  /** Those that are configured, in the order they are done. */
  readonly jobs: readonly NightlyJob[];
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

export const RECHECK_USAGE = `tongban person recheck --status [--json]           how far the check of this night has come
tongban person recheck --now [--limit N] [--json]  do it now, beside a running server; N documents and N people at most
`;

const OPTIONS = {
  status: { type: 'boolean' },
  now: { type: 'boolean' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
} as const;
/** Somebody waits: a register that does not answer is given up sooner than at night. */
const STALL_PAUSE_MS = 1_000;
const LIMIT = /^[1-9]\d{0,8}$/;

/** `tongban person recheck`: documents that have ended, and people whose last check is old. 1 when another process works on it. */
export async function runRecheck(args: readonly string[], context: RecheckContext): Promise<ExitCode> {
  const asked = understood(args);
  if (asked === undefined) {
    context.stderr.write(RECHECK_USAGE);
    return 2;
  }
  if (asked.now === undefined) {
    for (const name of [DOCUMENT_EXPIRY, PERSON_RECHECK]) {
      show(context, name, await nightlyJobStatus(context.database, name), asked.json === true);
    }
    return 0;
  }
  for (const job of context.jobs) {
    const unit = job.name === DOCUMENT_EXPIRY ? 'documents' : 'people';
    const limit = asked.limit === undefined ? {} : { askedMax: Number(asked.limit) };
    const round = { database: context.database, job, stallPauseMs: STALL_PAUSE_MS, ...limit };
    if ((await runWatchedJob(context.stderr, unit, round)) === 'busy') {
      context.stderr.write(`Another process works on ${job.name} just now; nothing was done twice.\n`);
      return 1;
    }
    show(context, job.name, await nightlyJobStatus(context.database, job.name), asked.json === true);
  }
  if (!context.jobs.some(({ name }) => name === PERSON_RECHECK)) {
    context.stderr.write(
      'No population register is asked: registers.population or recheck.personsPerSecond says so.\n',
    );
  }
  return 0;
}

function understood(args: readonly string[]) {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: false });
    const one = (values.status === true) !== (values.now === true);
    const limited = values.limit === undefined || (values.now === true && LIMIT.test(values.limit));
    return one && limited ? values : undefined;
  } catch {
    return undefined;
  }
}

const dateOf = (seconds: number | undefined): string | null =>
  seconds === undefined ? null : new Date(seconds * 1000).toISOString();

/** State, place and counts; no person is named. */
function show({ stdout }: RecheckContext, name: string, status: JobStatus | undefined, asJson: boolean): void {
  const { handled = 0, total = 0, counts = {}, isHeld = false, startedAt, finishedAt } = status ?? {};
  const state = isHeld
    ? 'running'
    : startedAt === undefined
      ? 'never'
      : finishedAt === undefined
        ? 'paused'
        : 'finished';
  const told = { job: name, state, handled, total, ...counts };
  const times = { startedAt: dateOf(startedAt), finishedAt: dateOf(finishedAt) };
  if (asJson) stdout.write(`${JSON.stringify({ ...told, ...times })}\n`);
  else {
    const words = Object.entries(counts).map(([verdict, count]) => `, ${verdict} ${count}`);
    const since = times.finishedAt ?? times.startedAt;
    stdout.write(`${name.padEnd(18)}${state}, ${handled} of ${total}${words.join('')}${since ? ` (${since})` : ''}\n`);
  }
}
