import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { closedLoop, type Measured, median, type Operation } from './measure.ts';
import { FULL_HASH, LEAST_HASH, type Started, startPeer } from './peers.ts';
import { CONNECTIONS, type Pace } from './rounds.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { processorMicroseconds } from './server-process.ts';
import { lanes } from './storm.ts';

/** What so many workers must bring over one, where the sign-in is not a hash above all. */
const WANTED = 1.5;
const ALL_READY_MS = 60_000;
const NAMES = ['sign-in, no hash', 'sign-in, hash'];

interface Round {
  readonly measured: Measured;
  /** Cores the server's processes, and the load generator, kept busy. */
  readonly serverCores: number;
  readonly loadCores: number;
}

/** The primary and its workers. */
function processesOf({ process }: Started): readonly number[] {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'latin1');
  return [process.pid, ...children.trim().split(' ').filter(Boolean).map(Number)];
}

async function round(server: Started, operations: readonly Operation[], durationMs: number): Promise<Round> {
  const pids = processesOf(server);
  const used = (): number => pids.reduce((sum, pid) => sum + processorMicroseconds(pid), 0);
  const [serverBefore, loadBefore, began] = [used(), process.cpuUsage(), performance.now()];
  const measured = await closedLoop(server.process.pid, operations, durationMs);
  const tookMicroseconds = (performance.now() - began) * 1000;
  const { user, system } = process.cpuUsage(loadBefore);
  return {
    measured,
    serverCores: (used() - serverBefore) / tookMicroseconds,
    loadCores: (user + system) / tookMicroseconds,
  };
}

async function started(workers: number, scenario: Scenario, pace: Pace): Promise<Started> {
  const hash = scenario.hash === 'full' ? FULL_HASH : LEAST_HASH;
  const server = await startPeer('ours', { hash, peopleCount: pace.peopleCount, workers });
  const deadline = performance.now() + ALL_READY_MS;
  // Printed once all of them serve.
  while (!server.process.stdout.includes(' serves ')) {
    if (performance.now() > deadline) throw new Error('not all workers serve');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return server;
}

/**
 * Sign-ins a second with so many workers beside one, in turn, on one SQLite file each. The load generator is one process on the same cores: what
 * it takes is said, for the workers could not have it. Resolves with whether the sign-in without its hash gains as much as wanted.
 */
export async function measureWorkers(count: number, pace: Pace): Promise<boolean> {
  let isEnough = true;
  process.stdout.write(
    `${availableParallelism()} cores, ${CONNECTIONS} connections, medians of ${pace.rounds} rounds\n`,
  );
  for (const scenario of SCENARIOS.filter(({ name }) => NAMES.includes(name))) {
    const servers = [await started(1, scenario, pace), await started(count, scenario, pace)];
    try {
      const rounds: Round[][] = servers.map(() => []);
      const operations = [];
      for (const server of servers) {
        const own = await lanes(CONNECTIONS, (lane) => scenario.prepare(server, lane));
        await round(server, own, pace.warmUpMs);
        operations.push(own);
      }
      for (let turn = 0; turn < pace.rounds; turn += 1)
        for (const [at, server] of servers.entries())
          rounds[at]?.push(await round(server, operations[at]!, pace.roundMs));
      const rates = rounds.map((own) => median(own.map(({ measured }) => measured.operationsPerSecond)));
      for (const [at, own] of rounds.entries()) {
        const of = (value: (round: Round) => number): string => median(own.map(value)).toFixed(2);
        process.stdout.write(
          `${scenario.name}, ${at === 0 ? 1 : count} workers: ${rates[at]?.toFixed(1)} a second, p50 ${of(({ measured }) => measured.p50Ms)} ms, p99 ${of(({ measured }) => measured.p99Ms)} ms; cores: server ${of(({ serverCores }) => serverCores)}, load ${of(({ loadCores }) => loadCores)}\n`,
        );
      }
      const gain = (rates[1] ?? 0) / (rates[0] ?? 1);
      process.stdout.write(`${scenario.name}: ${gain.toFixed(2)} x\n`);
      if (scenario.name === NAMES[0]) isEnough = gain >= WANTED;
    } finally {
      for (const server of servers) await server.stop();
    }
  }
  return isEnough;
}
