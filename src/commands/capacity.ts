import { parseArgs } from 'node:util';
import { z } from 'zod';
import { MEASURED } from './capacity-costs.ts';
import { type Demand, type Machines, type Plan, planCapacity, USUAL_DEMAND, USUAL_MACHINES } from './capacity-plan.ts';

export interface CapacityContext {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

export const USAGE = `Usage: tongban capacity [--people N] [--sign-ins-per-second N] [--active-share 0.1] [--sign-ins-each 1.3]
                        [--sso-per-sign-in 3] [--refreshes-per-sign-in 2] [--userinfo-per-sign-in 4] [--peak-factor 8]
                        [--ledger-years 1] [--cores-each 16] [--utilization 0.5] [--json]
  machines, PostgreSQL and Redis for so many people, from what each action was measured to cost; without --people for 1, 10, 50 and 100 million
`;

const STANDARD_PEOPLE = [1_000_000, 10_000_000, 50_000_000, 100_000_000];
const PEOPLE_MAX = 2_000_000_000;
const RATE_MAX = 1_000_000;

const count = (max: number) => z.coerce.number().positive().max(max);
const share = z.coerce.number().positive().max(1);
const OPTIONS = {
  people: { type: 'string' },
  'sign-ins-per-second': { type: 'string' },
  'active-share': { type: 'string' },
  'sign-ins-each': { type: 'string' },
  'sso-per-sign-in': { type: 'string' },
  'refreshes-per-sign-in': { type: 'string' },
  'userinfo-per-sign-in': { type: 'string' },
  'peak-factor': { type: 'string' },
  'ledger-years': { type: 'string' },
  'cores-each': { type: 'string' },
  utilization: { type: 'string' },
  json: { type: 'boolean' },
} as const;

const perSignIn = z.coerce.number().min(0).max(1000);
const WORDS = z.strictObject({
  people: count(PEOPLE_MAX).optional(),
  'sign-ins-per-second': count(RATE_MAX).optional(),
  'active-share': share.default(USUAL_DEMAND.activeShare),
  'sign-ins-each': count(1000).default(USUAL_DEMAND.signInsEach),
  'sso-per-sign-in': perSignIn.default(USUAL_DEMAND.ssoPerSignIn),
  'refreshes-per-sign-in': perSignIn.default(USUAL_DEMAND.refreshesPerSignIn),
  'userinfo-per-sign-in': perSignIn.default(USUAL_DEMAND.userinfoPerSignIn),
  'peak-factor': z.coerce.number().min(1).max(1000).default(USUAL_DEMAND.peakFactor),
  'ledger-years': z.coerce.number().min(0).max(100).default(USUAL_DEMAND.ledgerYears),
  'cores-each': z.coerce.number().int().min(1).max(1024).default(USUAL_MACHINES.coresEach),
  utilization: share.default(USUAL_MACHINES.utilization),
  json: z.boolean().default(false),
});

/** `tongban capacity ...`: 0 done, 2 not understood (what was wrong, and the usage, on stderr). It needs no store and no configuration. */
export async function runCapacity(args: readonly string[], { stdout, stderr }: CapacityContext): Promise<0 | 2> {
  const words = understand(args);
  if (typeof words === 'string') {
    stderr.write(`${words}\n${USAGE}`);
    return 2;
  }
  const machines: Machines = { coresEach: words['cores-each'], utilization: words.utilization };
  const columns = (words.people === undefined ? STANDARD_PEOPLE : [words.people]).map((people) => {
    const demand = demandOf(people, words);
    return { demand, plan: planCapacity(demand, machines, MEASURED) };
  });
  stdout.write(words.json ? `${JSON.stringify(columns, null, 2)}\n` : `${renderPlans(columns)}\n`);
  return 0;
}

/** `tongban capacity` of a terminal. */
export const run = (args: readonly string[]): Promise<number> =>
  runCapacity(args, { stdout: process.stdout, stderr: process.stderr });

type Words = z.output<typeof WORDS>;

function understand(args: readonly string[]): Words | string {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    const parsed = WORDS.safeParse(values);
    if (parsed.success) return parsed.data;
    const { path, message } = parsed.error.issues[0]!;
    return `--${path.join('.')}: ${message}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function demandOf(people: number, words: Words): Demand {
  const rate = words['sign-ins-per-second'];
  return {
    people,
    activeShare: words['active-share'],
    signInsEach: words['sign-ins-each'],
    ssoPerSignIn: words['sso-per-sign-in'],
    refreshesPerSignIn: words['refreshes-per-sign-in'],
    userinfoPerSignIn: words['userinfo-per-sign-in'],
    peakFactor: words['peak-factor'],
    ...(rate === undefined ? {} : { signInsPerSecond: rate }),
    ledgerYears: words['ledger-years'],
  };
}

/** What the calculator says without words, for the manual. */
export const standardPlans = (): readonly { readonly demand: Demand; readonly plan: Plan }[] =>
  [
    ...STANDARD_PEOPLE.map((people): Demand => ({ ...USUAL_DEMAND, people })),
    { ...USUAL_DEMAND, people: STANDARD_PEOPLE.at(-1)!, signInsPerSecond: 5000 },
  ].map((demand) => ({ demand, plan: planCapacity(demand, USUAL_MACHINES, MEASURED) }));

const LINES: readonly (readonly [title: string, value: (plan: Plan) => string])[] = [
  ['sign-ins a second at the peak', (plan) => figure(plan.signInsPerSecond)],
  ['cores of nodes', (plan) => figure(plan.nodeCores)],
  ['  of them for passwords', (plan) => figure(plan.hashCores)],
  ['machines for nodes, one to spare', (plan) => String(plan.nodeMachines)],
  ['cores of PostgreSQL', (plan) => figure(plan.postgresCores)],
  ['cores of Redis', (plan) => figure(plan.redisCores)],
  ['memory of Redis', (plan) => bytes(plan.redisBytes)],
  ['store: people', (plan) => bytes(plan.peopleBytes)],
  ['store: sessions and grants', (plan) => bytes(plan.liveBytes)],
  ['store: ledger a year', (plan) => bytes(plan.ledgerBytesAYear)],
  ['store: disk in all, with reserve', (plan) => bytes(plan.diskBytes)],
  ['write-ahead log a second', (plan) => bytes(plan.walBytesPerSecond)],
  ['ledger entries a second', (plan) => figure(plan.ledgerEntriesPerSecond)],
];

/** A table of one column a plan, and the warnings below it. */
export function renderPlans(columns: readonly { readonly demand: Demand; readonly plan: Plan }[]): string {
  const rows = [
    ['people', ...columns.map(({ demand }) => figure(demand.people))],
    ...LINES.map(([title, value]) => [title, ...columns.map(({ plan }) => value(plan))]),
  ];
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const lines = rows.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]! + 2))).join(''),
  );
  const warnings = columns.flatMap(({ demand, plan }) =>
    plan.warnings.map((warning) => `${figure(demand.people)} people: ${warning}`),
  );
  return [...lines, ...warnings].join('\n');
}

/** Two digits that count below a hundred, whole numbers above. */
const figure = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en') : Number(value.toPrecision(2)).toLocaleString('en');

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

function bytes(value: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${figure(value / 1000 ** power)} ${UNITS[power]}`;
}
