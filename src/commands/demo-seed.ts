import { parseArgs } from 'node:util';
import type { House } from '../app.ts';
import { SYNTHETIC_COMPANIES_MAX } from '../legal-persons/seeding/synthetic-companies.ts';
import { createSeed, type SeedOutcome } from '../seed-doors.ts';
import { monotonicMs } from '../shared/clock.ts';
import { DEMO_PASSWORD } from './demo.ts';
import { createProgress, type Progress } from './progress.ts';

interface DemoCommandContext {
  readonly house: House;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  /** Ends the seeding between two batches; by default SIGINT and SIGTERM do. */
  readonly signal?: AbortSignal;
}

type ExitCode = 0 | 1 | 2;

const PEOPLE_MAX = 10_000_000;
export const USAGE = `Usage:
  tongban demo seed --people N [--companies M] [--phones PERCENT] [--with-password K] [--json]

Makes N more synthetic people (at most 10,000,000) and M companies, each with a legal representative among them. Numbers and
codes are valid and nobody's. PERCENT of the people also sign in by a phone; the first K share the password of the demonstration.
Ctrl+C ends it with whole people only; a further run goes on after the last one.
`;

interface Wanted {
  readonly people: number;
  readonly companies: number;
  readonly phoneShare: number;
  readonly withPassword: number;
  readonly json: boolean;
}

/** `tongban demo seed ...`. Resolves with the exit code: 0 done, 1 refused or stopped, 2 not understood. */
export async function run(args: readonly string[], context: DemoCommandContext): Promise<ExitCode> {
  const { house, stdout, stderr } = context;
  const wanted = understood(args);
  if (typeof wanted === 'string') {
    stderr.write(wanted);
    return 2;
  }
  if (house.config.profile === 'production') {
    stderr.write('Synthetic people have no place in production: nothing was made.\n');
    return 1;
  }
  const password = wanted.withPassword === 0 ? undefined : await house.passwords.prepare(DEMO_PASSWORD);
  if (password === 'busy') throw new Error('the password could not be hashed');
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  const bars: Partial<Record<'people' | 'companies', Progress>> = {};
  const startedMs = monotonicMs();
  try {
    const outcome = await createSeed(house).run({
      ...wanted,
      password,
      signal: context.signal ?? ending.signal,
      progress: (kind, done) => {
        bars[kind] ??= createProgress(stderr, kind);
        bars[kind].at(done, wanted[kind]);
      },
    });
    for (const bar of Object.values(bars)) bar.end();
    return answer(outcome, wanted, (monotonicMs() - startedMs) / 1000, stdout, stderr);
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}

/** The request, or what was not understood. */
function understood(args: readonly string[]): Wanted | string {
  let line: ReturnType<typeof parsed>;
  try {
    line = parsed(args);
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n${USAGE}`;
  }
  const { values, positionals } = line;
  if (positionals.length !== 1 || positionals[0] !== 'seed') return USAGE;
  const people = countOf(values.people, PEOPLE_MAX);
  const companies = countOf(values.companies ?? '0', SYNTHETIC_COMPANIES_MAX);
  const phoneShare = countOf(values.phones ?? '0', 100);
  const withPassword = countOf(values['with-password'] ?? '0', PEOPLE_MAX);
  if (people === undefined || companies === undefined) return `--people and --companies are whole numbers.\n${USAGE}`;
  if (phoneShare === undefined || withPassword === undefined) {
    return `--phones is a percentage and --with-password a whole number.\n${USAGE}`;
  }
  return { people, companies, phoneShare, withPassword, json: values.json === true };
}

const parsed = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      people: { type: 'string' },
      companies: { type: 'string' },
      phones: { type: 'string' },
      'with-password': { type: 'string' },
      json: { type: 'boolean' },
    },
  });

const countOf = (text: string | undefined, max: number): number | undefined =>
  text !== undefined && /^\d{1,9}$/.test(text) && Number(text) <= max ? Number(text) : undefined;

function answer(
  outcome: SeedOutcome,
  wanted: Wanted,
  seconds: number,
  stdout: DemoCommandContext['stdout'],
  stderr: DemoCommandContext['stderr'],
): ExitCode {
  if (outcome.state === 'elsewhere') {
    stderr.write(
      'Another process makes people in this store just now. What this one made until then is there whole.\n',
    );
    return 1;
  }
  if (outcome.state === 'nobody') {
    stderr.write('There is nobody who could represent a company: make people first, or in the same run.\n');
    return 1;
  }
  const { people, companies, total } = outcome;
  const perSecond = Math.round(people / Math.max(seconds, 0.001));
  if (wanted.json) {
    const all = { people: total.people, companies: total.companies };
    stdout.write(`${JSON.stringify({ state: outcome.state, people, companies, total: all, seconds, perSecond })}\n`);
  } else {
    stdout.write(
      `${people} people and ${companies} companies made in ${seconds.toFixed(1)} s; ${total.people} and ${total.companies} in all.\n`,
    );
  }
  if (outcome.state === 'done') return 0;
  const rest = [
    `--people ${wanted.people - people} --companies ${wanted.companies - companies}`,
    ...(wanted.phoneShare > 0 ? [`--phones ${wanted.phoneShare}`] : []),
    ...(wanted.withPassword > people ? [`--with-password ${wanted.withPassword - people}`] : []),
  ];
  stderr.write(`Stopped. For the rest: tongban demo seed ${rest.join(' ')}\n`);
  return 1;
}
