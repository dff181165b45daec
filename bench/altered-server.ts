import cluster from 'node:cluster';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { type House, openHouse } from '../src/app.ts';
import { LOG_BUFFERS } from '../src/commands/serve-house.ts';
import { runPrimary } from '../src/commands/serve-primary.ts';
import { runWorker } from '../src/commands/serve-worker.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import type { Failures } from '../src/ledger/flood.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import { type ServeOptions, serve } from '../src/serve.ts';
import { workerCount } from '../src/workers/share.ts';
import { withoutHash } from './drill-hash.ts';
import { NO_HASH, PASSWORD } from './peers.ts';

/*
 * The product with a part taken out, to measure what the rest costs. The product itself has no such switches: an audit that can be
 * turned off proves nothing, and a password hash that costs nothing protects nobody.
 *
 *   node bench/altered-server.ts [--without ledger] [--without hash]
 */

const SILENT_LEDGER: Ledger = { append: async () => {}, record: async () => {} };
const SILENT_FAILURES: Failures = { record: async () => {}, settle: async () => {} };
const NO_SEQUENCER: ServeOptions = {
  runLedger: async () => ({
    sequencer: { settle: async () => {}, lag: () => ({ unsignedCount: 0, oldestUnsignedMs: 0 }), stop: async () => {} },
    stop: async () => {},
  }),
};

const { values } = parseArgs({ options: { without: { type: 'string', multiple: true, default: [] } } });
const isWithout = (part: string): boolean => values.without.includes(part);

const prepared = prepareConfig();
if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
const config = isWithout('hash') ? withoutHash(prepared.config) : prepared.config;
if (cluster.isWorker) process.exit(await runWorker(config));
const house = await openHouse(config);
if (isWithout('hash')) await hashAnew(house);
const count = workerCount(config);
if (count > 1) {
  if (isWithout('ledger')) throw new Error('the ledger can be taken out of one process only');
  await house.close();
  process.exit(await runPrimary(config, count));
}
const log = pino(
  { level: config.log.level, base: null },
  pino.destination({ dest: join(config.dataDir, 'tongban.log'), ...LOG_BUFFERS }),
);
const serving = isWithout('ledger')
  ? await serve({ ...house, ledger: SILENT_LEDGER, failures: SILENT_FAILURES }, log, NO_SEQUENCER)
  : await serve(house, log);
process.once('SIGTERM', () => {
  serving
    .stop('SIGTERM')
    .then(() => house.close())
    .finally(() => process.exit(0));
});

/** Passwords the product's own command has set cost what it was told; a sign-in pays what its stored hash says. */
async function hashAnew({ database, passwords }: House): Promise<void> {
  const costly = `SELECT person_id FROM passwords WHERE hash NOT LIKE '%$m=${NO_HASH.memoryKib},%'`;
  for (const { person_id: personId } of await database.all<{ person_id: string }>(costly, [])) {
    await passwords.set(personId, PASSWORD, 'bench');
  }
}
