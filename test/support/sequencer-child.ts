import { createSoftwareSm2Signer } from '../../src/crypto/sm2-software-signer.ts';
import { startSequencer } from '../../src/ledger/sequencing/sequencer.ts';
import { openDatabase } from '../../src/storage/open.ts';
import { entryText, insertEntry, TEST_ORIGIN, TEST_PRIVATE_KEY } from './sequencer-entries.ts';

/**
 * A process to be killed: writes entries and sequences them as fast as it can, and prints the mark of each entry once its commit
 * has been acknowledged. Arguments: where the store is (a file or the address of a PostgreSQL server), and a mark for this run.
 */
const [place = '', mark = ''] = process.argv.slice(2);
const LANES = 6;
const ENTRIES_PER_WRITE = 4;

const database = await openDatabase(place.startsWith('postgres:') ? { url: place, poolMax: 10 } : { file: place });
startSequencer({
  database,
  signer: createSoftwareSm2Signer(TEST_PRIVATE_KEY),
  origin: TEST_ORIGIN,
  intervalMs: 8,
  leaseMs: 100,
  onFault: (error) => process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`),
  onCheckpoint: ({ size }) => process.stdout.write(`signed ${size}\n`),
});

async function write(lane: number): Promise<never> {
  for (let turn = 0; ; turn += 1) {
    const marks = Array.from({ length: ENTRIES_PER_WRITE }, (_, n) => `${mark}-${lane}-${turn}-${n}`);
    await database.write(async (tx) => {
      for (const corr of marks) await insertEntry(tx, database.engine, entryText(corr, `person_${lane}`));
    });
    process.stdout.write(marks.map((corr) => `ack ${corr}\n`).join(''));
  }
}

await Promise.all(Array.from({ length: LANES }, (_, lane) => write(lane)));
