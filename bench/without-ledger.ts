import { join } from 'node:path';
import { pino } from 'pino';
import { openHouse } from '../src/app.ts';
import { prepareConfig } from '../src/config/prepare.ts';
import type { Failures } from '../src/ledger/flood.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import { serve } from '../src/serve.ts';

/*
 * The product with its ledger taken out, to measure what the ledger costs. The product itself has no such switch: an audit that
 * can be turned off proves nothing.
 */

const SILENT_LEDGER: Ledger = { append: async () => {}, record: async () => {} };
const SILENT_FAILURES: Failures = { record: async () => {}, settle: async () => {} };

const prepared = prepareConfig();
if (!prepared.ok) throw new Error(prepared.sentences.join('\n'));
const { config } = prepared;
const house = await openHouse(config);
const log = pino(
  { level: config.log.level, base: null },
  pino.destination({
    dest: join(config.dataDir, 'tongban.log'),
    sync: false,
    minLength: 65_536,
    maxWrite: 131_072,
    periodicFlush: 500,
  }),
);
const serving = await serve({ ...house, ledger: SILENT_LEDGER, failures: SILENT_FAILURES }, log, {
  runLedger: async () => ({
    sequencer: { settle: async () => {}, lag: () => ({ unsignedCount: 0, oldestUnsignedMs: 0 }), stop: async () => {} },
    stop: async () => {},
  }),
});
process.once('SIGTERM', () => {
  serving
    .stop()
    .then(() => house.close())
    .finally(() => process.exit(0));
});
