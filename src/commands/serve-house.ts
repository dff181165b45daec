import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { openHouse, type Place } from '../app.ts';
import type { Config } from '../config/schema.ts';
import { type Serving, serve, type WorkerOptions } from '../serve.ts';
import { Fault } from '../shared/fault.ts';
import type { Demonstration } from './demo.ts';

/** Where a serving house stands: alone in its process, or as one of several workers. */
export interface Stage {
  readonly log: Logger;
  readonly place?: Place;
  readonly worker?: WorkerOptions;
  /** Prepares the sample people and runs the sample portals, where the configuration wants them. */
  readonly showsDemo: boolean;
  /** Called once the house serves, with what whoever started it is to read. */
  readonly welcome: (text: string, serving: Serving) => void;
  /** Resolves with the signal that ends it. */
  readonly untilEnd: () => Promise<string>;
}

/** Opens a house, serves until it is to end, and ends in order. Resolves with the exit code. */
export async function serveHouse(config: Config, stage: Stage): Promise<number> {
  const { log, place, worker } = stage;
  const house = await openHouse(config, undefined, place);
  let serving: Serving | undefined;
  let signal: string | undefined;
  let demonstration: Demonstration | undefined;
  try {
    const demo = config.profile === 'demo' || config.demo.portals ? await import('./demo.ts') : undefined;
    const shown = config.profile === 'demo' ? demo : undefined;
    if (stage.showsDemo) await shown?.prepareDemo(house);
    serving = await serve(house, log, {
      ...(shown && { demo: shown.demoView(config) }),
      ...(worker && { worker }),
    });
    if (config.demo.portals && stage.showsDemo) demonstration = await demo?.startDemoPortals(house);
    const plain = `Tongban ID serves ${config.issuer}\n`;
    stage.welcome(shown ? shown.welcome(config, demonstration?.urls ?? []) : plain, serving);
    signal = await stage.untilEnd();
    log.info({ signal }, 'stopping');
    return 0;
  } catch (error) {
    const sentence = sentenceFor(error);
    if (!sentence) throw error;
    process.stderr.write(`${sentence}\n`);
    return 1;
  } finally {
    await demonstration?.close();
    try {
      await serving?.stop(signal);
    } finally {
      await house.close();
    }
  }
}

const LOG_BUFFER_BYTES = 4096;

/**
 * How lines of the log are gathered, for one write instead of many; a line waits half a second at most. No more than these: for each line the
 * stream measures all that wait, so that with a buffer of 64 KiB a line costs three times as much.
 */
export const LOG_BUFFERS = {
  sync: false,
  minLength: LOG_BUFFER_BYTES,
  maxWrite: 2 * LOG_BUFFER_BYTES,
  periodicFlush: 500,
} as const;

/** The log of this process; `base` stands in every line. */
export function createLog(config: Config, base: Readonly<Record<string, unknown>> | null = null): Logger {
  const { level, destination } = config.log;
  if (destination === 'none' || level === 'silent') return pino({ level: 'silent' });
  const stream = destination === 'stdout' ? 1 : join(config.dataDir, 'tongban.log');
  return pino({ level, base }, pino.destination({ dest: stream, ...LOG_BUFFERS, mode: 0o600 }));
}

export function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}

/** What an operator is told of a machine that will not; undefined for what nobody expected. */
export function sentenceFor(error: unknown): string | undefined {
  if (error instanceof Fault) return error.message;
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const where = 'port' in error && error.port ? `port ${String(error.port)}` : 'the configured port';
  if (error.code === 'EADDRINUSE') {
    return `Another program uses ${where} already. Stop it, or choose another with TONGBAN_PORT (portals: TONGBAN_DEMO_PORTS).`;
  }
  if (error.code === 'EACCES') return `This user may not listen on ${where}.`;
  if (error.code === 'EADDRNOTAVAIL') return 'The configured host is not an address of this machine (TONGBAN_HOST).';
  return undefined;
}
