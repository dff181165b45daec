import argon2 from 'argon2';
import { closedLoop, type Measured, median, medianOf } from './measure.ts';
import type { HashCost, Started } from './peers.ts';
import { type Row, rowOf } from './report.ts';
import type { Scenario } from './scenarios.ts';
import { lanes } from './storm.ts';

export const CONNECTIONS = 16;
const HASHES_TIMED = 15;

/** How long and how often everything is measured. */
export interface Pace {
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
  readonly peopleCount: number;
  readonly stormRounds: number;
  readonly stormRoundMs: number;
  readonly coldStarts: number;
}

export const THOROUGH: Pace = {
  rounds: 5,
  roundMs: 2000,
  warmUpMs: 1500,
  peopleCount: 16,
  stormRounds: 3,
  stormRoundMs: 8000,
  coldStarts: 5,
};
export const QUICK: Pace = {
  rounds: 3,
  roundMs: 250,
  warmUpMs: 300,
  peopleCount: 3,
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
    await closedLoop(server.process.pid, operations, pace.warmUpMs);
    prepared.push({ server, operations, rounds: [] as Measured[] });
  }
  const hashes: number[] = [];
  for (let round = 0; round < pace.rounds; round += 1) {
    // Timed between the rounds, so that it is as slow or as fast as the machine is at the moment.
    if (scenario.hashTakenOff) hashes.push(await hashMicroseconds(cost));
    for (const { server, operations, rounds } of prepared) {
      rounds.push(await closedLoop(server.process.pid, operations, pace.roundMs));
    }
  }
  const hashCost = median(hashes);
  return prepared.map(({ server, rounds }) => {
    const middle = medianOf(rounds);
    const measured = { ...middle, cpuMicroseconds: middle.cpuMicroseconds - hashCost };
    return { server, measured, hashMicroseconds: hashCost };
  });
}

/** The row of one scenario. */
export async function measureScenario(
  scenario: Scenario,
  servers: readonly Started[],
  cost: HashCost,
  pace: Pace,
): Promise<Row> {
  const measured = await measureRounds(scenario, servers, cost, pace);
  const peers: Row['peers'] = Object.fromEntries(measured.map((one) => [one.server.name, one.measured]));
  const remark = scenario.hashTakenOff ? `less ${(measured[0]?.hashMicroseconds ?? 0).toFixed(0)} us of hashing` : '';
  return rowOf(scenario.name, peers, scenario.bar, remark);
}
