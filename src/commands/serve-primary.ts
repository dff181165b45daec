import cluster, { type Worker } from 'node:cluster';
import type { Readable, Writable } from 'node:stream';
import type { Config } from '../config/schema.ts';
import { createMetrics, type MetricReading } from '../monitoring/metrics.ts';
import { type PrivateAnswer, type PrivatePort, startPrivatePort } from '../monitoring/private-port.ts';
import type { Verdict } from '../monitoring/readiness.ts';
import { MetricSums, verdictOfWorkers } from '../monitoring/sums.ts';
import { HashPlaces } from '../workers/hash-places.ts';
import type { FromPrimary, FromWorker } from '../workers/messages.ts';
import { hashesAtOnce } from '../workers/share.ts';
import { NeverServed, Supervisor, type WorkerProcess } from '../workers/supervisor.ts';
import { createLog, sentenceFor, untilSignal } from './serve-house.ts';

/** What a worker takes to end beside the delay for load balancers: requests, deliveries, the ledger. */
const END_MS_MAX = 30_000;

/**
 * Serves with several workers on one port: starts them, and again when one dies; hands out the places for hashes; holds the private port; and ends
 * them all in order. Has no house of its own. Resolves with the exit code.
 */
export async function runPrimary(config: Config, count: number): Promise<number> {
  const log = createLog(config);
  cluster.setupPrimary({ silent: true, serialization: 'advanced' });
  const sums = new MetricSums();
  let welcome = '';
  const places = new HashPlaces(hashesAtOnce(config), (worker) => supervisor.send(worker, { kind: 'place' }));
  const supervisor: Supervisor = new Supervisor({
    count,
    fork: () => processOf(cluster.fork()),
    log,
    onMessage(worker, message) {
      if (message.kind === 'place-wanted') places.ask(worker);
      if (message.kind === 'place-free') places.giveBack(worker);
      if (message.kind === 'ready') welcome ||= message.welcome ?? '';
    },
    onGone(worker) {
      places.forget(worker);
      sums.forget(worker).catch((error: unknown) => log.error({ err: error }, 'counts of a worker were lost'));
    },
  });
  const end = untilSignal();
  let port: PrivatePort | undefined;
  let signal = 'SIGTERM';
  try {
    port = await openPrivatePort(config, supervisor, sums, (error) =>
      log.error({ err: error }, 'the private port could not answer'),
    );
    const started = supervisor.start().then(() => process.stdout.write(welcome));
    signal = await Promise.race([started.then(() => end), end]);
    log.info({ signal }, 'stopping');
    return 0;
  } catch (error) {
    if (error instanceof NeverServed) return error.code;
    const sentence = sentenceFor(error);
    if (!sentence) throw error;
    process.stderr.write(`${sentence}\n`);
    return 1;
  } finally {
    await supervisor.end(signal, config.http.drainDelayMs + END_MS_MAX);
    await port?.stop();
  }
}

async function openPrivatePort(
  { monitoring }: Config,
  supervisor: Supervisor,
  sums: MetricSums,
  onFault: (error: unknown) => void,
): Promise<PrivatePort | undefined> {
  if (monitoring.port === 0) return undefined;
  const own = createMetrics({ workers: () => supervisor.reading() });
  return startPrivatePort({
    host: monitoring.host,
    port: monitoring.port,
    allowedNetworks: monitoring.allowedNetworks,
    onFault,
    metrics: {
      async render() {
        const told = (await supervisor.askAll({ about: 'metrics' })) as readonly Answered<readonly MetricReading[]>[];
        for (const { worker, answer } of told) if (answer !== undefined) sums.remember(worker, answer);
        return sums.render(await own.readings());
      },
    },
    async readiness() {
      const told = (await supervisor.askAll({ about: 'readiness' })) as readonly Answered<Verdict>[];
      return verdictOfWorkers(
        told.map(({ answer }) => answer),
        supervisor.reading(),
      );
    },
    async ledger(path) {
      const answer = (await supervisor.askOne({ about: 'ledger', path })) as PrivateAnswer | undefined;
      return answer ?? { status: 503, type: 'text/plain; charset=utf-8', body: 'no worker answers\n', cacheSeconds: 0 };
    },
  });
}

interface Answered<T> {
  readonly worker: number;
  readonly answer: T | undefined;
}

function processOf(worker: Worker): WorkerProcess {
  passOn(worker.process.stdout, process.stdout);
  passOn(worker.process.stderr, process.stderr);
  return {
    pid: worker.process.pid,
    send(message: FromPrimary) {
      // To one that is just ending nothing need be said.
      if (worker.isConnected()) worker.send(message, undefined, undefined, () => undefined);
    },
    onMessage: (listener) => worker.on('message', (message: FromWorker) => listener(message)),
    onExit: (listener) => worker.on('exit', listener),
    kill: () => void worker.process.kill('SIGKILL'),
  };
}

/** By whole lines: what several processes write into one pipe must not meet in the middle of one. */
function passOn(from: Readable | null, to: Writable): void {
  let rest = '';
  from?.setEncoding('utf8').on('data', (text: string) => {
    const end = text.lastIndexOf('\n') + 1;
    if (end === 0) {
      rest += text;
      return;
    }
    to.write(rest + text.slice(0, end));
    rest = text.slice(end);
  });
  from?.on('end', () => {
    if (rest !== '') to.write(`${rest}\n`);
  });
}
