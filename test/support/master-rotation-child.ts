import { openMasterKeys } from '../../src/crypto/master-keys.ts';
import { createMasterRotation } from '../../src/crypto/master-rotation.ts';
import { openDatabase } from '../../src/storage/open.ts';

/** Puts another master key in use; where it is to be killed, by its own hand within the transaction, when all is written. */
const { STORE = '', MASTERS = '', KILLED } = process.env;
const database = await openDatabase({ file: STORE });
const master = await openMasterKeys(
  database,
  MASTERS.split(' ').map((key) => Buffer.from(key)),
);
const rotation = createMasterRotation({
  database,
  master,
  ring: { refresh: async () => undefined },
  ledger: {
    append: async () => {
      if (KILLED === 'true') process.kill(process.pid, 'SIGKILL');
    },
  },
});
const outcome = await rotation.rotate();
await database.close();
process.exitCode = outcome.ok ? 0 : 1;
