import type { Transaction } from '../storage/database.ts';

/** Rises with every change of any key; every process looks at it. */
export const KEYS_VERSION = 'keyring.version';

const LOCK = `INSERT INTO settings (name, value) VALUES ($1, '0')
  ON CONFLICT (name) DO UPDATE SET value = settings.value`;
const RAISE = 'UPDATE settings SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = $1';

/** Holds the row of the version until the end of the transaction: on PostgreSQL this is the lock between nodes. */
export const lockKeys = (tx: Transaction): Promise<number> => tx.run(LOCK, [KEYS_VERSION]);
export const raiseKeysVersion = (tx: Transaction): Promise<number> => tx.run(RAISE, [KEYS_VERSION]);
