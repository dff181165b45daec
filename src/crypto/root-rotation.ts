import { nowMs } from '../shared/clock.ts';
import { randomSecret } from '../shared/random.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { KeyEvents } from './keyring.ts';
import { lockKeys, raiseKeysVersion } from './keys-version.ts';
import { MASTER_ROOT, type MasterKeys, ROOT_CONTEXT } from './master-keys.ts';
import { carryRowSeals } from './row-sealing.ts';
import { createRowSeals } from './row-seals.ts';
import { CONFIGURED, type RingPurpose, type SecretRing } from './secret-ring.ts';

/** `serving`: a server runs. `standing`: these keys of the ring are made of the root. */
export type RootChange =
  | { readonly ok: true; readonly keys: number }
  | { readonly ok: false; readonly reason: 'serving' }
  | { readonly ok: false; readonly reason: 'standing'; readonly purposes: readonly RingPurpose[] };

/** Replaces what outlives the master key. */
export interface RootRotation {
  /**
   * Draws another root, in one transaction with its event: it is there as a whole, or not at all. No server may run, for each derives its keys
   * once, at its start. Throws `Fault('row_altered')` where a row of `keys` does not match its seal.
   */
  rotate(): Promise<RootChange>;
}

export interface RootRotationOptions {
  /** With its rows under the seals of the root that goes. */
  readonly database: Database;
  readonly root: Uint8Array;
  readonly master: MasterKeys;
  readonly ring: Pick<SecretRing, 'keys' | 'refresh' | 'close'>;
  readonly ledger: KeyEvents;
  /** Keeps what the ledger signs with, sealed with the master key in use: a ledger has one key from its first day. */
  readonly keepLedgerKey: (tx: Transaction) => Promise<void>;
}

/** The first keys of these purposes are made of the root (key-doors.ts). */
const MADE_OF_ROOT: readonly RingPurpose[] = ['sealing', 'rows'];
const ROOT_BYTES = 32;
const PURPOSE = 'root';
const ALG = 'HMAC-SM3';
const SERVING = 'SELECT name FROM offices WHERE lease_until_ms > $1 LIMIT 1';
const SET = `INSERT INTO settings (name, value) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value`;

export function createRootRotation(options: RootRotationOptions): RootRotation {
  const { database, root, master, ring, ledger, keepLedgerKey } = options;

  const change = async (tx: Transaction): Promise<RootChange> => {
    await lockKeys(tx);
    await master.refresh(tx);
    if ((await tx.get(SERVING, [nowMs()])) !== undefined) return { ok: false, reason: 'serving' };
    const purposes = MADE_OF_ROOT.filter((purpose) => ring.keys(purpose).some(({ id }) => id === CONFIGURED));
    if (purposes.length > 0) return { ok: false, reason: 'standing', purposes };
    await keepLedgerKey(tx);
    const next = randomSecret(ROOT_BYTES);
    const keys = await carryRowSeals(tx, createRowSeals(root), createRowSeals(next));
    const sealed = master.seal(next.toString('base64url'), ROOT_CONTEXT);
    await tx.run(SET, [MASTER_ROOT, Buffer.from(sealed).toString('base64')]);
    await ledger.append(tx, { type: 'key.rotated', details: { kid: PURPOSE, alg: ALG, purpose: PURPOSE } });
    await raiseKeysVersion(tx);
    return { ok: true, keys };
  };

  return {
    async rotate() {
      await ring.refresh();
      // This process still judges by the root before: from here on it looks at no key again.
      ring.close();
      return database.write(change);
    },
  };
}
