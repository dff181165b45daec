import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { EngineName } from './engine-space.ts';
import { closedLoop, type Measured, median, type Operation } from './measure.ts';
import { FULL_HASH, NO_HASH, type Started, startPeer } from './peers.ts';
import { CONNECTIONS, type Pace } from './rounds.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { processorMicroseconds } from './server-process.ts';
import { lanes } from './storm.ts';

/** What so many workers must bring over one, where the sign-in is not a hash above all: of two, 1.5 times as much. */
const WANTED_EACH = 0.75;
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

async function started(workers: number, scenario: Scenario, pace: Pace, engine: EngineName): Promise<Started> {
  const hash = scenario.hash === 'full' ? FULL_HASH : NO_HASH;
  const server = await startPeer('ours', { hash, peopleCount: pace.peopleCount, workers, engine });
  const deadline = performance.now() + ALL_READY_MS;
  // Printed once all of them serve; one that is alone has answered already.
  while (workers > 1 && !server.process.stdout.includes(' serves ')) {
    if (performance.now() > deadline) throw new Error('not all workers serve');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return server;
}

/** What so many workers came to over the rounds. */
interface Came {
  readonly workers: number;
  readonly perSecond: number;
  /** Of all processes of the server, for one operation. */
  readonly cpuMicroseconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly serverCores: number;
  readonly loadCores: number;
}

function cameTo(workers: number, rounds: readonly Round[]): Came {
  const of = (value: (round: Round) => number): number => median(rounds.map(value));
  return {
    workers,
    perSecond: of(({ measured }) => measured.operationsPerSecond),
    cpuMicroseconds: of(({ measured, serverCores }) => (serverCores / measured.operationsPerSecond) * 1_000_000),
    p50Ms: of(({ measured }) => measured.p50Ms),
    p99Ms: of(({ measured }) => measured.p99Ms),
    serverCores: of(({ serverCores }) => serverCores),
    loadCores: of(({ loadCores }) => loadCores),
  };
}

const printed = ({ workers, ...came }: Came, name: string): string =>
  `${name}, ${workers} workers: ${came.perSecond.toFixed(1)} a second, p50 ${came.p50Ms.toFixed(1)} ms, p99 ${came.p99Ms.toFixed(1)} ms; ` +
  `${came.cpuMicroseconds.toFixed(0)} us each; cores: server ${came.serverCores.toFixed(2)}, load ${came.loadCores.toFixed(2)}\n`;

/**
 * Sign-ins with so many workers beside one, in turn. Two figures: sign-ins a second as they came, and the capacity, which is what as many cores as there
 * are workers would carry at the processor time that a sign-in takes of all processes together. The load generator is one process on
 * the same cores, and what it takes the workers cannot have: where workers and load do not all have a core of their own, the figure that came is
 * bounded by that, and the capacity is judged. Resolves with whether the sign-in without its hash gains as much as wanted.
 */
export async function measureWorkers(count: number, pace: Pace, engine: EngineName): Promise<boolean> {
  let isEnough = true;
  const cores = availableParallelism();
  const isRoomy = cores > count;
  process.stdout.write(`${cores} cores, ${CONNECTIONS} connections, ${engine}, medians of ${pace.rounds} rounds\n`);
  for (const scenario of SCENARIOS.filter(({ name }) => NAMES.includes(name))) {
    const numbers = [1, count];
    const servers: Started[] = [];
    try {
      for (const workers of numbers) servers.push(await started(workers, scenario, pace, engine));
      const rounds: Round[][] = servers.map(() => []);
      const operations: (readonly Operation[])[] = [];
      for (const server of servers) {
        const own = await lanes(CONNECTIONS, (lane) => scenario.prepare(server, lane));
        // Each worker compiles for itself, so they are warmed by count, as far as the pace has time for it.
        const endMs = performance.now() + pace.warmUpMsMax;
        let done = 0;
        do done += (await round(server, own, pace.warmUpMs)).measured.operationCount;
        while (done < (scenario.warmUpOperations ?? 0) * count && performance.now() < endMs);
        operations.push(own);
      }
      for (let turn = 0; turn < pace.rounds; turn += 1)
        for (const [at, server] of servers.entries())
          rounds[at]!.push(await round(server, operations[at]!, pace.roundMs));
      const [one, several] = rounds.map((own, at) => cameTo(numbers[at]!, own)) as [Came, Came];
      for (const came of [one, several]) process.stdout.write(printed(came, scenario.name));
      const gain = several.perSecond / one.perSecond;
      const capacity = (count * one.cpuMicroseconds) / several.cpuMicroseconds;
      const remark = isRoomy ? '' : `, on ${cores} cores for ${count} workers and the load`;
      process.stdout.write(
        `${scenario.name}: ${gain.toFixed(2)} x as it came${remark}; ${capacity.toFixed(2)} x by capacity\n`,
      );
      if (scenario.name === NAMES[0]) isEnough = (isRoomy ? gain : capacity) >= WANTED_EACH * count;
    } finally {
      for (const server of servers) await server.stop();
    }
  }
  return isEnough;
}
