import type { JWK } from 'jose';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { Connection, Database, Transaction } from '../storage/database.ts';
import { KEYS_VERSION, lockKeys, raiseKeysVersion } from './keys-version.ts';
import { type KeySealer, keyContext } from './master-keys.ts';
import { freshSigningKey, type MakeSigningKey, type SigningAlgorithm, type SigningKey } from './signing-key.ts';

const PURPOSE = 'signing';
/** A node that has not yet heard of a rotation goes on signing with the old key for at most this long. */
const NODE_LAG_SECONDS = 300;

type KeyState = 'next' | 'current' | 'previous';

interface KeyRow {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly state: KeyState;
  readonly created_at: number;
  readonly activated_at: number | null;
  readonly private_sealed: Uint8Array;
}

/** What the keyring tells the ledger. The ledger stands above this room, so the keyring names only what it needs of it. */
export interface KeyEvents {
  append(
    tx: Transaction,
    event: { readonly type: 'key.created' | 'key.rotated' | 'key.removed'; readonly details: Record<string, string> },
  ): Promise<void>;
}

export interface KeyringOptions {
  readonly database: Database;
  readonly sealer: KeySealer;
  readonly ledger: KeyEvents;
  /** Those in use. Keys of others are left where they are, and are neither made nor handed out. */
  readonly algorithms: readonly SigningAlgorithm[];
  /** A replaced key stays published until every token it signed has expired. */
  readonly longestTokenLifeSeconds: number;
  /** A key is published at least this long, the age to which portals cache our key set, before it signs (B6). */
  readonly publishedBeforeUseSeconds: number;
  /** Keys made in this process unless given. */
  readonly makeKey?: MakeSigningKey;
}

/** `too_soon`: portals with a cached key set may not know the next key before `readyAt` (epoch seconds). */
export type RotationOutcome =
  | { readonly ok: true; readonly kid: string }
  | { readonly ok: false; readonly reason: 'too_soon'; readonly readyAt: number };

/**
 * The signing keys: for each algorithm one that signs (`current`), one that is published and waits (`next`), and those that
 * only verify until their last token has expired (`previous`). Private keys are sealed. Changes are serialised by the row
 * `keyring.version`, between nodes too; it also tells the nodes that something changed.
 */
export interface Keyring {
  readonly algorithms: readonly SigningAlgorithm[];
  /** Creates what is missing. At the first start only, a key signs without having been published before. */
  ensure(): Promise<void>;
  /**
   * Private JWKs, or references to keys held elsewhere (`remoteKeyId`), with `kid`, `use` and `alg`, every `current` first, then `next`,
   * then `previous`: the first that fits signs.
   */
  jwks(): Promise<{ readonly privateKeys: JWK[] }>;
  rotate(alg: SigningAlgorithm): Promise<RotationOutcome>;
  /** Rotates each algorithm whose current key has signed for longer than this. Resolves with the kids that sign now. */
  rotateAged(ageSecondsMax: number): Promise<readonly string[]>;
  /** Removes keys whose last token has expired. Resolves with their kids. */
  prune(): Promise<readonly string[]>;
  /** Rises with every change of the keys. */
  version(): Promise<number>;
}

export function createKeyring(options: KeyringOptions): Keyring {
  const { database, sealer, ledger, makeKey = freshSigningKey } = options;

  const insert = async (tx: Transaction, key: SigningKey, state: KeyState): Promise<void> => {
    const now = nowSeconds();
    await tx.run(INSERT, [
      key.kid,
      PURPOSE,
      key.alg,
      state,
      JSON.stringify(key.publicJwk),
      sealer.seal(JSON.stringify(key.privateJwk), keyContext(key.kid)),
      now,
      state === 'current' ? now : null,
    ]);
    await ledger.append(tx, { type: 'key.created', details: { kid: key.kid, alg: key.alg, state } });
  };

  const ensureOne = async (alg: SigningAlgorithm): Promise<void> => {
    // Made before the transaction, which must not wait for prime numbers. What another node was faster with is dropped.
    const spare: SigningKey[] = [];
    for (const _ of missingStates(await rowsOf(database, alg))) spare.push(await makeKey(alg));
    if (spare.length === 0) return;
    await database.write(async (tx) => {
      await lockKeys(tx);
      await sealer.refresh(tx);
      const missing = missingStates(await rowsOf(tx, alg));
      for (const state of missing.slice(0, spare.length)) await insert(tx, spare.pop()!, state);
      if (missing.length > 0) await raiseKeysVersion(tx);
    });
  };

  const retire = async (tx: Transaction, kid: string): Promise<void> => {
    const retiresAt = nowSeconds() + options.longestTokenLifeSeconds + NODE_LAG_SECONDS;
    await tx.run("UPDATE keys SET state = 'previous', retires_at = $1 WHERE kid = $2", [retiresAt, kid]);
  };

  /** Asked before the successor is made too: a device may have few keys to give. */
  const tooSoon = (rows: readonly KeyRow[]): Extract<RotationOutcome, { readonly ok: false }> | undefined => {
    const next = rows.find(({ state }) => state === 'next');
    if (next === undefined) return undefined;
    const readyAt = next.created_at + options.publishedBeforeUseSeconds;
    return nowSeconds() < readyAt ? { ok: false, reason: 'too_soon', readyAt } : undefined;
  };

  const rotate = async (alg: SigningAlgorithm): Promise<RotationOutcome> => {
    const early = tooSoon(await rowsOf(database, alg));
    if (early !== undefined) return early;
    const successor = await makeKey(alg);
    return database.write(async (tx) => {
      await lockKeys(tx);
      await sealer.refresh(tx);
      const rows = await rowsOf(tx, alg);
      const current = rows.find(({ state }) => state === 'current');
      const next = rows.find(({ state }) => state === 'next');
      if (current === undefined || next === undefined) throw incomplete(alg);
      const refused = tooSoon(rows);
      if (refused !== undefined) return refused;
      await retire(tx, current.kid);
      await tx.run("UPDATE keys SET state = 'current', activated_at = $1 WHERE kid = $2", [nowSeconds(), next.kid]);
      await insert(tx, successor, 'next');
      await ledger.append(tx, { type: 'key.rotated', details: { kid: next.kid, alg } });
      await raiseKeysVersion(tx);
      return { ok: true, kid: next.kid };
    });
  };

  return {
    algorithms: options.algorithms,

    async ensure() {
      for (const alg of options.algorithms) await ensureOne(alg);
    },

    async jwks() {
      const rows = await database.all<KeyRow>(SELECT_ALL, [PURPOSE]);
      const privateKeys = rows
        .filter(({ alg }) => options.algorithms.includes(alg))
        .toSorted((left, right) => STATE_ORDER[left.state] - STATE_ORDER[right.state])
        .map(({ kid, private_sealed }) => JSON.parse(sealer.unseal(private_sealed, keyContext(kid))) as JWK);
      return { privateKeys };
    },

    rotate,

    async rotateAged(ageSecondsMax) {
      const kids: string[] = [];
      for (const alg of options.algorithms) {
        const current = (await rowsOf(database, alg)).find(({ state }) => state === 'current');
        if (current === undefined || (current.activated_at ?? 0) > nowSeconds() - ageSecondsMax) continue;
        const outcome = await rotate(alg);
        if (outcome.ok) kids.push(outcome.kid);
      }
      return kids;
    },

    prune: () =>
      database.write(async (tx) => {
        await lockKeys(tx);
        const rows = await tx.all<KeyRow>(SELECT_RETIRED, [PURPOSE, nowSeconds()]);
        for (const { kid, alg } of rows) {
          await tx.run('DELETE FROM keys WHERE kid = $1', [kid]);
          await ledger.append(tx, { type: 'key.removed', details: { kid, alg } });
        }
        if (rows.length > 0) await raiseKeysVersion(tx);
        return rows.map(({ kid }) => kid);
      }),

    async version() {
      const row = await database.get<{ value: string }>('SELECT value FROM settings WHERE name = $1', [KEYS_VERSION]);
      return Number(row?.value ?? 0);
    },
  };
}

const STATE_ORDER: Readonly<Record<KeyState, number>> = { current: 0, next: 1, previous: 2 };

const INSERT = `INSERT INTO keys (kid, purpose, alg, state, public_jwk, private_sealed, created_at, activated_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`;
const SELECT_ALL =
  'SELECT kid, alg, state, created_at, activated_at, private_sealed FROM keys WHERE purpose = $1 ORDER BY alg, created_at DESC, kid';
const SELECT_OF_ALG = 'SELECT kid, alg, state, created_at, activated_at FROM keys WHERE purpose = $1 AND alg = $2';
const SELECT_RETIRED = `SELECT kid, alg FROM keys WHERE purpose = $1 AND state = 'previous' AND retires_at <= $2`;

const rowsOf = (connection: Connection, alg: SigningAlgorithm): Promise<KeyRow[]> =>
  connection.all<KeyRow>(SELECT_OF_ALG, [PURPOSE, alg]);

const missingStates = (rows: readonly KeyRow[]): KeyState[] =>
  (['current', 'next'] as const).filter((wanted) => !rows.some(({ state }) => state === wanted));

const incomplete = (alg: string): Fault =>
  new Fault('internal', `The keyring has no current or no next key for ${alg}: it was never completed at a start.`);
