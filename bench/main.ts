import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import argon2 from 'argon2';
import { closedLoop, type Measured, median, medianOf } from './measure.ts';
import { FULL_HASH, type HashCost, LEAST_HASH, type PeerName, type Started, startPeer } from './peers.ts';
import { type Extra, missedBars, printExtras, printRows, type Row, rowOf } from './report.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { endServersOnSignal } from './server-process.ts';
import { lanes, measureStorm } from './storm.ts';

/*
 * Tongban ID beside a bare oidc-provider, each in a process of its own, driven in turn by the same sixteen connections.
 * Processor time per operation is the figure that travels between machines; throughput is not. Ends with 1 when a bar is
 * missed, with 2 when a server gave a wrong answer.
 *
 *   npm run bench -- [--quick] [--only NAME]... [--peer ours|bare] [--json FILE]
 */

const CONNECTIONS = 16;
const STORM = 'storm';
const COLD_START = 'cold start';
const HASHES_TIMED = 15;

interface Pace {
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
  readonly peopleCount: number;
  readonly stormRounds: number;
  readonly stormRoundMs: number;
  readonly coldStarts: number;
}

const THOROUGH: Pace = {
  rounds: 5,
  roundMs: 2000,
  warmUpMs: 1500,
  peopleCount: 16,
  stormRounds: 3,
  stormRoundMs: 8000,
  coldStarts: 5,
};
const QUICK: Pace = {
  rounds: 3,
  roundMs: 250,
  warmUpMs: 300,
  peopleCount: 3,
  stormRounds: 1,
  stormRoundMs: 2000,
  coldStarts: 3,
};

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    peer: { type: 'string' },
    json: { type: 'string' },
  },
});

const pace = options.quick ? QUICK : THOROUGH;
const peers: readonly PeerName[] =
  options.peer === 'bare' || options.peer === 'ours' ? [options.peer] : ['ours', 'bare'];
const wanted = (name: string): boolean =>
  options.only.length === 0 || options.only.some((part) => name.toLowerCase().includes(part.toLowerCase()));

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

async function measureScenario(scenario: Scenario, servers: readonly Started[], cost: HashCost): Promise<Row> {
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
  const measured: Row['peers'] = Object.fromEntries(
    prepared.map(({ server, rounds }) => {
      const middle = medianOf(rounds);
      const cpuMicroseconds = middle.cpuMicroseconds - hashCost;
      return [server.name, { ...middle, cpuMicroseconds }];
    }),
  );
  const remark = scenario.hashTakenOff ? `less ${hashCost.toFixed(0)} us of hashing` : '';
  return rowOf(scenario.name, measured, scenario.bar, remark);
}

async function coldStart(server: Started): Promise<number> {
  const startsMs: number[] = [];
  for (let n = 0; n < pace.coldStarts; n += 1) startsMs.push(await server.restart());
  return median(startsMs);
}

/** Everything that runs with one password cost, on one pair of servers. */
async function measurePair(hash: Scenario['hash'], rows: Row[], extras: Extra[]): Promise<void> {
  const scenarios = SCENARIOS.filter((scenario) => scenario.hash === hash && wanted(scenario.name));
  const stormy = hash === 'full' && wanted(STORM);
  const starting = hash === 'least' && wanted(COLD_START);
  if (scenarios.length === 0 && !stormy && !starting) return;
  const cost = hash === 'full' ? FULL_HASH : LEAST_HASH;
  const servers: Started[] = [];
  try {
    for (const peer of peers) servers.push(await startPeer(peer, { hash: cost, peopleCount: pace.peopleCount }));
    for (const scenario of scenarios) {
      process.stderr.write(`${scenario.name} ...\n`);
      rows.push(await measureScenario(scenario, servers, cost));
    }
    for (const server of servers) {
      // The bare library is here to compare, and nobody waits for it in a hurry.
      if (options.quick && server.name === 'bare' && peers.length > 1) continue;
      if (stormy) process.stderr.write(`${STORM} (${server.name}) ...\n`);
      if (stormy)
        extras.push({ peer: server.name, storm: await measureStorm(server, pace.stormRounds, pace.stormRoundMs) });
      if (starting) extras.push({ peer: server.name, coldStartMs: await coldStart(server) });
    }
  } finally {
    for (const server of servers) await server.stop();
  }
}

endServersOnSignal();
const rows: Row[] = [];
const extras: Extra[] = [];
try {
  await measurePair('least', rows, extras);
  await measurePair('full', rows, extras);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
rows.sort((a, b) => order(a.name) - order(b.name));
if (rows.length > 0) process.stdout.write(`${printRows(rows)}\n`);
if (extras.length > 0) process.stdout.write(`${printExtras(extras)}\n`);
const missed = missedBars(rows, extras);
if (missed.length > 0) process.stdout.write(`missed: ${missed.join(', ')}\n`);
if (options.json !== undefined) {
  const machine = { processor: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
  await writeFile(
    options.json,
    `${JSON.stringify({ machine, connections: CONNECTIONS, pace, rows, extras, missed }, null, 2)}\n`,
  );
}
// The lanes hold their connections open; nothing else is left to do.
process.exit(process.exitCode ?? (missed.length > 0 ? 1 : 0));

function order(name: string): number {
  return SCENARIOS.findIndex((scenario) => scenario.name === name);
}
