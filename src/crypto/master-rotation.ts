import type { Database, Transaction } from '../storage/database.ts';
import type { KeyEvents } from './keyring.ts';
import { lockKeys, raiseKeysVersion } from './keys-version.ts';
import {
  keyContext,
  MASTER_IN_USE,
  MASTER_ROOT,
  MASTERS_RETIRED,
  type MasterKeys,
  ROOT_CONTEXT,
} from './master-keys.ts';
import { sealedWith } from './sealing.ts';
import type { SecretRing } from './secret-ring.ts';

/** `which`: several others were given, and one must be named. */
export type MasterChange =
  | { readonly ok: true; readonly id: string; readonly rows: number }
  | { readonly ok: false; readonly reason: 'none_given' | 'unknown' | 'in_use' | 'retired' }
  | { readonly ok: false; readonly reason: 'which'; readonly ids: readonly string[] };

export type MasterRetirement =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: 'unknown' | 'in_use' }
  | { readonly ok: false; readonly reason: 'needed'; readonly rows: number };

export interface GivenMaster {
  readonly id: string;
  readonly state: 'current' | 'given' | 'retired';
}

/** Replaces the master key. Each change is one transaction with its event of the ledger: it is there as a whole, or not at all. */
export interface MasterRotation {
  /** Of those this process was given, the one in use first. */
  list(): Promise<readonly GivenMaster[]>;
  /** Seals every key anew with another master key, and lets it be the one in use. Throws where a row does not open. */
  rotate(id?: string): Promise<MasterChange>;
  /** Nothing sealed with it is opened from now on. */
  retire(id: string): Promise<MasterRetirement>;
}

export interface MasterRotationOptions {
  readonly database: Database;
  readonly master: MasterKeys;
  readonly ring: Pick<SecretRing, 'refresh'>;
  readonly ledger: KeyEvents;
}

interface Row {
  readonly kid: string;
  readonly private_sealed: Uint8Array;
}

const ALG = 'SM4-CTR-HMAC-SM3';
const PURPOSE = 'master';
const ID = /^[0-9a-f]{8}$/;
const ROWS = 'SELECT kid, private_sealed FROM keys ORDER BY kid';
const SEAL = 'UPDATE keys SET private_sealed = $1 WHERE kid = $2';
const SET = `INSERT INTO settings (name, value) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value`;

export function createMasterRotation({ database, master, ring, ledger }: MasterRotationOptions): MasterRotation {
  const change = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const done = await database.write(async (tx) => {
      await lockKeys(tx);
      await master.refresh(tx);
      return work(tx);
    });
    await master.refresh(database);
    await ring.refresh();
    return done;
  };

  return {
    async list() {
      await master.refresh(database);
      return master.ids().map((id, at) => ({ id, state: stateOf(master, id, at) }));
    },

    rotate: (wanted) =>
      change(async (tx): Promise<MasterChange> => {
        const chosen = successorOf(master, wanted);
        if (typeof chosen !== 'string') return chosen;
        const rows = await tx.all<Row>(ROWS, []);
        for (const { kid, private_sealed: sealed } of rows) {
          const text = master.unseal(sealed, keyContext(kid));
          await tx.run(SEAL, [master.sealWith(chosen, text, keyContext(kid)), kid]);
        }
        const root = master.sealWith(chosen, Buffer.from(master.root).toString('base64url'), ROOT_CONTEXT);
        await tx.run(SET, [MASTER_ROOT, Buffer.from(root).toString('base64')]);
        await tx.run(SET, [MASTER_IN_USE, chosen]);
        await ledger.append(tx, { type: 'key.rotated', details: { kid: chosen, alg: ALG, purpose: PURPOSE } });
        await raiseKeysVersion(tx);
        return { ok: true, id: chosen, rows: rows.length };
      }),

    retire: (id) =>
      change(async (tx): Promise<MasterRetirement> => {
        if (!ID.test(id)) return { ok: false, reason: 'unknown' };
        if (id === master.ids()[0]) return { ok: false, reason: 'in_use' };
        if (master.isRetired(id)) return { ok: true };
        // A row without a name stands under whichever was in use before the first change.
        const standing = (await tx.all<Row>(ROWS, [])).filter(({ private_sealed: sealed }) =>
          [id, 'configured'].includes(String(sealedWith(sealed))),
        );
        const isChanged = (await tx.get(SELECT, [MASTER_IN_USE])) !== undefined;
        if (isChanged && standing.length > 0) return { ok: false, reason: 'needed', rows: standing.length };
        const before = (await tx.get<{ value: string }>(SELECT, [MASTERS_RETIRED]))?.value;
        await tx.run(SET, [MASTERS_RETIRED, before === undefined ? id : `${before} ${id}`]);
        await ledger.append(tx, { type: 'key.removed', details: { kid: id, alg: ALG, purpose: PURPOSE } });
        await raiseKeysVersion(tx);
        return { ok: true };
      }),
  };
}

const SELECT = 'SELECT value FROM settings WHERE name = $1';

function stateOf(master: MasterKeys, id: string, at: number): GivenMaster['state'] {
  if (at === 0) return 'current';
  return master.isRetired(id) ? 'retired' : 'given';
}

function successorOf(master: MasterKeys, wanted: string | undefined): string | Exclude<MasterChange, { ok: true }> {
  const [inUse, ...others] = master.ids();
  if (wanted === undefined) {
    const usable = others.filter((id) => !master.isRetired(id));
    const [only, ...more] = usable;
    if (only === undefined) return { ok: false, reason: 'none_given' };
    return more.length === 0 ? only : { ok: false, reason: 'which', ids: usable };
  }
  if (wanted === inUse) return { ok: false, reason: 'in_use' };
  if (!others.includes(wanted)) return { ok: false, reason: 'unknown' };
  return master.isRetired(wanted) ? { ok: false, reason: 'retired' } : wanted;
}
