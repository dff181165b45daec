import argon2 from 'argon2';
import { closedLoop, type Measured, median, medianOf, type Operation } from './measure.ts';
import type { HashCost, Started } from './peers.ts';
import { type Row, rowOf } from './report.ts';
import type { Bar, Scenario } from './scenarios.ts';
import { lanes } from './storm.ts';

export const CONNECTIONS = 16;
const HASHES_TIMED = 15;

/** How long and how often everything is measured. */
export interface Pace {
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
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
  peopleCount: 3,
  appPeopleCount: 768,
  stormRounds: 1,
  stormRoundMs: 2000,
  coldStarts: 3,
};

/** Processor time of one password hash in this process, in microseconds: what both servers pay alike. */
async function hashMicroseconds(cost: HashCost): Promise<number> {
  const hash = await argon2.hash('correct-horse-battery', {
    type: argon2.argon2id,
    memoryCost: cost.memoryKib,
    timeCost: cost.iterations,
    parallelism: 1,
  });
  const before = process.cpuUsage();
  for (let n = 0; n < HASHES_TIMED; n += 1) await argon2.verify(hash, 'correct-horse-battery');
  const { user, system } = process.cpuUsage(before);
  return (user + system) / HASHES_TIMED;
}

/** One round on one server, with what it uses up made ahead. */
async function round(server: Started, operations: readonly Operation[], durationMs: number): Promise<Measured> {
  await Promise.all(operations.map((operation) => operation.ready?.(durationMs)));
  return closedLoop(server.process.pid, operations, durationMs);
}

/** One scenario on several servers in turn, so that what the machine does meanwhile hits all of them. Medians over the rounds. */
export async function measureRounds(
  scenario: Scenario,
  servers: readonly Started[],
  cost: HashCost,
  pace: Pace,
): Promise<readonly { readonly server: Started; readonly measured: Measured; readonly hashMicroseconds: number }[]> {
  const prepared = [];
  for (const server of servers) {
    const operations = await lanes(CONNECTIONS, (lane) => scenario.prepare(server, lane));
    await round(server, operations, pace.warmUpMs);
    prepared.push({ server, operations, rounds: [] as Measured[] });
  }
  const hashes: number[] = [];
  for (let turn = 0; turn < pace.rounds; turn += 1) {
    // Timed between the rounds, so that it is as slow or as fast as the machine is at the moment.
    if (scenario.hashesIn?.length) hashes.push(await hashMicroseconds(cost));
    for (const { server, operations, rounds } of prepared) {
      rounds.push(await round(server, operations, pace.roundMs));
    }
  }
  const hashCost = median(hashes);
  return prepared.map(({ server, rounds }) => {
    const middle = medianOf(rounds);
    const takenOff = scenario.hashesIn?.includes(server.name) ? hashCost : 0;
    const measured = { ...middle, cpuMicroseconds: middle.cpuMicroseconds - takenOff };
    return { server, measured, hashMicroseconds: hashCost };
  });
}

/** The row of one scenario. */
export async function measureScenario(
  scenario: Scenario,
  servers: readonly Started[],
  cost: HashCost,
  pace: Pace,
  bar: Bar | undefined = scenario.bar,
): Promise<Row> {
  const measured = await measureRounds(scenario, servers, cost, pace);
  const peers: Row['peers'] = Object.fromEntries(measured.map((one) => [one.server.name, one.measured]));
  const hashing = scenario.hashesIn && `less ${(measured[0]?.hashMicroseconds ?? 0).toFixed(0)} us of hashing`;
  const remark = [hashing, scenario.remark].filter(Boolean).join(', ');
  return rowOf(scenario.name, peers, bar, remark);
}
