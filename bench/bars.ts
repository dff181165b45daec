import type { EngineName } from './engine-space.ts';
import { type Bar, SCENARIOS } from './scenarios.ts';

/** What the rows and the extras of a run are held against. */
export interface Bars {
  readonly of: (scenario: string) => Bar | undefined;
  /** SSO p99 in a storm of sign-ins, in multiples of its p99 without. */
  readonly stormRatioMax: number;
  readonly coldStartMsMax: number;
  /** Of a session with one portal whose access token is alive. */
  readonly redisSessionBytesMax: number;
}

const cpu = (limit: number): Bar => ({ kind: 'cpu', limit });
/** On servers of their own, the processor time of PostgreSQL and Redis is not counted: only the node's is. */
const APART = new Map([
  ['SSO', cpu(1.15)],
  ['sign-in, no hash', cpu(1.15)],
]);
const REDIS_SESSION_BYTES_MAX = 2048;

export function barsOf(engine: EngineName): Bars {
  if (engine === 'postgres-redis') {
    return {
      of: (scenario) => APART.get(scenario),
      stormRatioMax: 2.5,
      coldStartMsMax: 1200,
      redisSessionBytesMax: REDIS_SESSION_BYTES_MAX,
    };
  }
  return {
    of: (scenario) => SCENARIOS.find(({ name }) => name === scenario)?.bar,
    stormRatioMax: 3,
    coldStartMsMax: 900,
    redisSessionBytesMax: REDIS_SESSION_BYTES_MAX,
  };
}
