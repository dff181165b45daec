import cluster from 'node:cluster';
import { prepareConfig } from '../config/prepare.ts';
import { configRefusal } from '../config-doors.ts';
import { workerCount } from '../workers/share.ts';
import { createLog, serveHouse, untilSignal } from './serve-house.ts';

export const USAGE = `Usage: tongban serve
  runs until SIGTERM or Ctrl+C; takes no arguments: settings come from config/, the file TONGBAN_CONFIG names, and TONGBAN_* in the
  environment (docs/configuration.md). "tongban config check" says whether it would start.
`;

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
  const { config } = prepared;
  if (cluster.isWorker) return (await import('./serve-worker.ts')).runWorker(config);
  for (const warning of prepared.warnings) process.stderr.write(`${warning}\n`);
  const count = workerCount(config);
  if (count > 1) return (await import('./serve-primary.ts')).runPrimary(config, count);
  return serveHouse(config, {
    log: createLog(config),
    showsDemo: true,
    welcome: (text) => process.stdout.write(text),
    untilEnd: untilSignal,
  });
}
