import { monotonicMs } from '../src/shared/clock.ts';
import { closedLoop, type Measured, medianOf, type Operation } from './measure.ts';
import type { Started } from './peers.ts';
import { type Row, rowOf } from './report.ts';
import type { Bar, Scenario } from './scenarios.ts';
import { lanes } from './storm.ts';

export const CONNECTIONS = 16;

/** How long and how often everything is measured. */
export interface Pace {
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
  /** How long a scenario that is warmed by count may take for it at most. */
  readonly warmUpMsMax: number;
  readonly peopleCount: number;
  /** People with an authenticator app. */
  readonly appPeopleCount: number;
  readonly stormRounds: number;
  readonly stormRoundMs: number;
  readonly coldStarts: number;
}

export const THOROUGH: Pace = {
  rounds: 5,
  roundMs: 2000,
  warmUpMs: 1500,
  warmUpMsMax: 60_000,
  peopleCount: 16,
  appPeopleCount: 3072,
  stormRounds: 3,
  stormRoundMs: 8000,
  coldStarts: 5,
};
export const QUICK: Pace = {
  rounds: 3,
  roundMs: 250,
  warmUpMs: 300,
  warmUpMsMax: 1500,
  peopleCount: 3,
  appPeopleCount: 512,
  stormRounds: 1,
  stormRoundMs: 2000,
  coldStarts: 3,
};

/** One round on one server, with what it uses up made ahead. */
async function round(server: Started, operations: readonly Operation[], durationMs: number): Promise<Measured> {
  await Promise.all(operations.map((operation) => operation.ready?.(durationMs)));
  return closedLoop(server.process.pid, operations, durationMs);
}

async function warmUp(
  { warmUpOperations = 0 }: Scenario,
  server: Started,
  operations: readonly Operation[],
  { warmUpMs, warmUpMsMax }: Pace,
): Promise<void> {
  const endMs = monotonicMs() + warmUpMsMax;
  for (let done = 0; ; ) {
    done += (await round(server, operations, warmUpMs)).operationCount;
    if (done >= warmUpOperations || monotonicMs() + warmUpMs > endMs) return;
  }
}

/** One scenario on several servers in turn, so that what the machine does meanwhile hits all of them. Medians over the rounds. */
export async function measureRounds(
  scenario: Scenario,
  servers: readonly Started[],
  pace: Pace,
): Promise<readonly { readonly server: Started; readonly measured: Measured }[]> {
  const prepared = [];
  for (const server of servers) {
    const operations = await lanes(CONNECTIONS, (lane) => scenario.prepare(server, lane));
    await warmUp(scenario, server, operations, pace);
    prepared.push({ server, operations, rounds: [] as Measured[] });
  }
  for (let turn = 0; turn < pace.rounds; turn += 1) {
    for (const { server, operations, rounds } of prepared) {
      rounds.push(await round(server, operations, pace.roundMs));
    }
  }
  return prepared.map(({ server, rounds }) => ({ server, measured: medianOf(rounds) }));
}

/** The row of one scenario. */
export async function measureScenario(
  scenario: Scenario,
  servers: readonly Started[],
  pace: Pace,
  bar: Bar | undefined = scenario.bar,
): Promise<Row> {
  const measured = await measureRounds(scenario, servers, pace);
  const peers: Row['peers'] = Object.fromEntries(measured.map((one) => [one.server.name, one.measured]));
  return rowOf(scenario.name, peers, bar, scenario.remark);
}
