import { closedLoop, type Operation, openLoop, quantile } from './measure.ts';
import type { Started } from './peers.ts';
import { signIn, singleSignOn } from './scenarios.ts';
import { RefusedPage } from './sign-in.ts';

/** Latency of single sign-on at a fixed rate, on a quiet server and while people sign in with their passwords. */
export interface Storm {
  readonly idleP50Ms: number;
  readonly idleP99Ms: number;
  readonly stormP50Ms: number;
  readonly stormP99Ms: number;
  readonly signInsPerSecond: number;
  readonly shedCount: number;
}

const SSO_PER_SECOND = 40;
const SSO_LANES = 24;
const PEOPLE_SIGNING_IN = 16;
const SHED_PAUSE_MS = 100;

/** Password hashing must not starve those who are signed in already: they share one thread pool with the signatures. */
export async function measureStorm(server: Started, rounds: number, roundMs: number): Promise<Storm> {
  const singleSignOns = await lanes(SSO_LANES, (lane) => singleSignOn(server, lane));
  const signIns = await lanes(PEOPLE_SIGNING_IN, (lane) => signIn(server, lane));
  const idle: number[] = [];
  const storm: number[] = [];
  const rates: number[] = [];
  let shedCount = 0;
  const tolerant = signIns.map(
    (operate): Operation =>
      async () => {
        try {
          return await operate();
        } catch (error) {
          if (!(error instanceof RefusedPage) || (error.status !== 429 && error.status !== 503)) throw error;
          shedCount += 1;
          await new Promise((resolve) => setTimeout(resolve, SHED_PAUSE_MS));
          return 0;
        }
      },
  );
  await openLoop(singleSignOns, SSO_PER_SECOND, roundMs / 4);
  for (let round = 0; round < rounds; round += 1) {
    idle.push(...(await openLoop(singleSignOns, SSO_PER_SECOND, roundMs)));
    const shedBefore = shedCount;
    const [latenciesMs, signingIn] = await Promise.all([
      openLoop(singleSignOns, SSO_PER_SECOND, roundMs),
      closedLoop(server.process.pid, tolerant, roundMs),
    ]);
    storm.push(...latenciesMs);
    rates.push(signingIn.operationsPerSecond - (shedCount - shedBefore) / (roundMs / 1000));
  }
  return {
    idleP50Ms: quantile(idle, 0.5),
    idleP99Ms: quantile(idle, 0.99),
    stormP50Ms: quantile(storm, 0.5),
    stormP99Ms: quantile(storm, 0.99),
    signInsPerSecond: quantile(rates, 0.5),
    shedCount,
  };
}

/** Prepares lanes one after the other: none of this is timed, and a crowd at the door would only be turned away. */
export async function lanes(
  count: number,
  prepare: (lane: number) => Promise<Operation>,
): Promise<readonly Operation[]> {
  const prepared: Operation[] = [];
  for (let lane = 0; lane < count; lane += 1) prepared.push(await prepare(lane));
  return prepared;
}
