import type { Costs } from './capacity-costs.ts';

/** What a province expects of a busy day. Shares are between 0 and 1. */
export interface Demand {
  /** Accounts. */
  readonly people: number;
  /** Of them, who signs in on a busy day. */
  readonly activeShare: number;
  /** How often each of these signs in. */
  readonly signInsEach: number;
  /** Portals opened with the same sign-in, after the first. */
  readonly ssoPerSignIn: number;
  readonly refreshesPerSignIn: number;
  readonly userinfoPerSignIn: number;
  /** The busiest second as a multiple of the day's mean. */
  readonly peakFactor: number;
  /** Sign-ins in the busiest second, where they are known better than by the above. */
  readonly signInsPerSecond?: number;
  /** Years the ledger stays in the store. */
  readonly ledgerYears: number;
}

export interface Machines {
  /** Cores of one machine for nodes. */
  readonly coresEach: number;
  /** How busy a core may be in the busiest second. */
  readonly utilization: number;
}

/** Processor time in cores, memory and disk in bytes, rates a second in the busiest second. */
export interface Plan {
  readonly signInsPerSecond: number;
  readonly nodeCores: number;
  /** Of these, for hashing passwords. */
  readonly hashCores: number;
  /** With one to spare, two at least. */
  readonly nodeMachines: number;
  readonly postgresCores: number;
  readonly redisCores: number;
  readonly redisBytes: number;
  readonly peopleBytes: number;
  readonly liveBytes: number;
  readonly ledgerBytesAYear: number;
  readonly ledgerEntriesPerSecond: number;
  readonly diskBytes: number;
  readonly walBytesPerSecond: number;
  /** What one of its kind cannot carry, in words; empty when nothing is beyond what was measured or is sold. */
  readonly warnings: readonly string[];
}

export const USUAL_DEMAND: Omit<Demand, 'people'> = {
  activeShare: 0.1,
  signInsEach: 1.3,
  ssoPerSignIn: 3,
  refreshesPerSignIn: 2,
  userinfoPerSignIn: 4,
  peakFactor: 8,
  ledgerYears: 1,
};

export const USUAL_MACHINES: Machines = { coresEach: 16, utilization: 0.5 };

const SECONDS_A_DAY = 86_400;
const DAYS_A_YEAR = 365;
/** The busiest day is not every day: of its events, the mean of a year. */
const YEAR_SHARE = 0.6;
/** Indexes split and rows die before they are vacuumed; files are as large at their worst. */
const DISK_RESERVE = 1.5;
/** What Redis takes beyond its keys: its tables, fragments, and the copy it writes. */
const REDIS_RESERVE = 2;
const MICROSECONDS = 1_000_000;
/** Of a session with its first portal, what a further one adds: grant, refresh token and consent, about half. */
const FURTHER_PORTAL_SHARE = 0.5;
/** Cores of the largest machine that can be had for a database without asking anybody. */
const DATABASE_CORES_MAX = 96;

/** How much of everything a demand needs, from what each action was measured to cost. */
export function planCapacity(demand: Demand, machines: Machines, costs: Costs): Plan {
  const signInsPerSecond =
    demand.signInsPerSecond ??
    ((demand.people * demand.activeShare * demand.signInsEach) / SECONDS_A_DAY) * demand.peakFactor;
  const signInsADay = (signInsPerSecond / demand.peakFactor) * SECONDS_A_DAY;
  const actions = [
    { each: 1, cost: costs.signIn },
    { each: demand.ssoPerSignIn, cost: costs.sso },
    { each: demand.refreshesPerSignIn, cost: costs.refresh },
    { each: demand.userinfoPerSignIn, cost: costs.userinfo },
  ];
  const perSignIn = (of: (cost: (typeof actions)[number]['cost']) => number): number =>
    actions.reduce((sum, { each, cost }) => sum + each * of(cost), 0);
  const cores = (microseconds: number): number =>
    (signInsPerSecond * microseconds) / MICROSECONDS / machines.utilization;
  const hashCores = cores(costs.hashMicroseconds);
  const nodeCores = cores(perSignIn((cost) => cost.nodeMicroseconds)) + hashCores;
  const postgresCores = cores(perSignIn((cost) => cost.postgresMicroseconds));
  const redisCores = cores(perSignIn((cost) => cost.redisMicroseconds));
  const events = perSignIn((cost) => cost.events);
  const ledgerEntriesPerSecond = signInsPerSecond * events;
  const ledgerBytesAYear = signInsADay * YEAR_SHARE * DAYS_A_YEAR * events * costs.eventBytes;
  const liveSessions = (signInsADay / SECONDS_A_DAY) * costs.sessionSeconds;
  const liveBytes = liveSessions * costs.sessionBytes * (1 + demand.ssoPerSignIn * FURTHER_PORTAL_SHARE);
  const tokens = signInsPerSecond * (1 + demand.ssoPerSignIn + demand.refreshesPerSignIn) * costs.accessTokenSeconds;
  const codes = signInsPerSecond * (1 + demand.ssoPerSignIn) * costs.codeSeconds;
  const redisBytes = (tokens * costs.redisTokenBytes + codes * costs.redisCodeBytes) * REDIS_RESERVE;
  const peopleBytes = demand.people * costs.personBytes;
  const warnings: string[] = [];
  if (postgresCores > DATABASE_CORES_MAX) {
    warnings.push(
      `one PostgreSQL of ${Math.ceil(postgresCores)} cores is more than one machine has: divide the province`,
    );
  }
  if (ledgerEntriesPerSecond > costs.ledgerEntriesPerSecondMax) {
    warnings.push('more entries a second than one sequencer of the ledger was measured to number');
  }
  if (redisCores > 1) {
    warnings.push(
      'more than one core of Redis, which has one for the artifacts of a house, in a cluster too: divide the province',
    );
  }
  return {
    signInsPerSecond,
    nodeCores,
    hashCores,
    nodeMachines: Math.max(2, Math.ceil(nodeCores / machines.coresEach) + 1),
    postgresCores,
    redisCores,
    redisBytes,
    peopleBytes,
    liveBytes,
    ledgerBytesAYear,
    ledgerEntriesPerSecond,
    diskBytes: (peopleBytes + liveBytes + ledgerBytesAYear * demand.ledgerYears) * DISK_RESERVE,
    walBytesPerSecond: signInsPerSecond * perSignIn((cost) => cost.walBytes),
    warnings,
  };
}
