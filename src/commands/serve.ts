import { join } from 'node:path';
import { pino } from 'pino';
import { openHouse } from '../app.ts';
import { prepareConfig } from '../config/prepare.ts';
import type { Config } from '../config/schema.ts';
import { configRefusal } from '../config-doors.ts';
import { type Serving, serve } from '../serve.ts';
import { Fault } from '../shared/fault.ts';
import type { Demonstration } from './demo.ts';

/** `tongban serve`: runs until SIGTERM or SIGINT. Exit code 2 for a configuration that cannot be, 1 for a machine that will not. */
export async function run(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    process.stderr.write(
      'tongban serve takes no arguments; settings come from the configuration and the environment.\n',
    );
    return 2;
  }
  const prepared = prepareConfig();
  if (!prepared.ok) {
    process.stderr.write(`${prepared.sentences.join('\n')}\n`);
    return prepared.exitCode;
  }
  const refusal = configRefusal(prepared.config);
  if (refusal !== undefined) {
    process.stderr.write(`${refusal}\n`);
    return 2;
  }
  for (const warning of prepared.warnings) process.stderr.write(`${warning}\n`);
  const { config } = prepared;
  const log = createLog(config);
  const house = await openHouse(config);
  let serving: Serving | undefined;
  let signal: string | undefined;
  let demonstration: Demonstration | undefined;
  try {
    const demo = config.profile === 'demo' || config.demo.portals ? await import('./demo.ts') : undefined;
    const shown = config.profile === 'demo' ? demo : undefined;
    await shown?.prepareDemo(house);
    serving = await serve(house, log, shown ? { demo: shown.demoView(config) } : {});
    if (config.demo.portals) demonstration = await demo?.startDemoPortals(house);
    process.stdout.write(
      shown ? shown.welcome(config, demonstration?.urls ?? []) : `Tongban ID serves ${config.issuer}\n`,
    );
    signal = await untilSignal();
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

const LOG_BUFFER_BYTES = 64 * 1024;

function createLog(config: Config) {
  const { level, destination } = config.log;
  if (destination === 'none' || level === 'silent') return pino({ level: 'silent' });
  const stream = destination === 'stdout' ? 1 : join(config.dataDir, 'tongban.log');
  return pino(
    { level, base: null },
    pino.destination({
      dest: stream,
      sync: false,
      // Few large writes instead of many small ones; a line waits half a second at most.
      minLength: LOG_BUFFER_BYTES,
      maxWrite: 2 * LOG_BUFFER_BYTES,
      periodicFlush: 500,
      mode: 0o600,
    }),
  );
}

function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}

function sentenceFor(error: unknown): string | undefined {
  if (error instanceof Fault) return error.message;
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const where = 'port' in error ? `port ${String(error.port)}` : 'the configured port';
  if (error.code === 'EADDRINUSE') {
    return `Another program uses ${where} already. Stop it, or choose another with TONGBAN_PORT (portals: TONGBAN_DEMO_PORTS).`;
  }
  if (error.code === 'EACCES') return `This user may not listen on ${where}.`;
  if (error.code === 'EADDRNOTAVAIL') return 'The configured host is not an address of this machine (TONGBAN_HOST).';
  return undefined;
}
