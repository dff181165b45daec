import { Fault } from '../shared/fault.ts';
import type { Connection, Database } from '../storage/database.ts';
import { deriveKeyBytes, hmacKey } from './digests.ts';
import { createSealer, type SealedColumn, type Sealer, sealedWith } from './sealing.ts';

/** Seals the keys themselves, each bound to its `kid`. */
export interface KeySealer {
  seal(plaintext: string, context: string): SealedColumn;
  unseal(sealed: Uint8Array, context: string): string;
  /** Looks which master key is in use. Whoever seals a key calls it in the same transaction, once the keys are locked. */
  refresh(connection: Connection): Promise<void>;
}

/**
 * The master keys this process was given. The store says which of them is in use, not the order in which they were given: nodes that are
 * configured one after the other never disagree. Changed by master-rotation.ts alone.
 */
export interface MasterKeys extends KeySealer {
  /**
   * The master key this store began with. The first key that seals columns is made of it, and what is derived for shorter times; it stays
   * the same for good, sealed with the master key in use.
   */
  readonly root: Uint8Array;
  /** Of those given, the one in use first. Ids are 8 hexadecimal digits and tell nothing of the key. */
  ids(): readonly string[];
  /** Seals with this one, whichever is in use. Throws `Fault('internal')` for one that was not given. */
  sealWith(id: string, plaintext: string, context: string): SealedColumn;
  isRetired(id: string): boolean;
}

/** The id of the master key in use; absent until the one the store began with is replaced. */
export const MASTER_IN_USE = 'keyring.master';
export const MASTER_ROOT = 'keyring.root';
/** Ids separated by blanks: what is sealed with one of these is not opened, whoever was given it. */
export const MASTERS_RETIRED = 'keyring.retired-masters';
export const ROOT_CONTEXT = `settings:value:${MASTER_ROOT}`;

const SETTING = 'SELECT value FROM settings WHERE name = $1';
const KEYS = 'SELECT kid, private_sealed FROM keys ORDER BY kid';
const ID_BYTES = 4;

/** What a master key is called: derived from it, so that nobody has to keep a name beside it. */
export const masterId = (key: Uint8Array): string =>
  deriveKeyBytes(hmacKey(key), 'master/id').subarray(0, ID_BYTES).toString('hex');

export const keyContext = (kid: string): string => `keys:private_sealed:${kid}`;

interface Known {
  readonly key: Uint8Array;
  /** Writes its name on what it seals. */
  readonly named: Sealer;
  /** Writes no name, as the first master key of a store does. */
  readonly plain: Sealer;
}

interface Row {
  readonly kid: string;
  readonly private_sealed: Uint8Array;
}

/**
 * `given` are the master keys of this process, the first of which begins a new store. Throws `Fault('internal')` when the one in use is
 * not among them: nothing could be read, and what were written would be a second truth.
 */
export async function openMasterKeys(database: Database, given: readonly Uint8Array[]): Promise<MasterKeys> {
  const known = new Map<string, Known>();
  for (const key of given) {
    const id = masterId(key);
    if (!known.has(id)) known.set(id, { key, named: createSealer(key, id), plain: createSealer(key) });
  }
  let retired: ReadonlySet<string> = new Set();
  let named = await settingOf(database, MASTER_IN_USE);
  let inUse = named ?? (await firstMaster(database, known));

  const knownOf = (id: string): Known => {
    const one = known.get(id);
    if (one !== undefined) return one;
    throw new Fault(
      'internal',
      `The keys in the store are sealed with the master key ${id}; this process was given ${[...known.keys()].join(', ') || 'none'} (secrets.encryptionKey, secrets.otherEncryptionKeys, keyService.keyFiles).`,
    );
  };

  const refresh = async (connection: Connection): Promise<void> => {
    named = await settingOf(connection, MASTER_IN_USE);
    if (named !== undefined) inUse = named;
    retired = new Set((await settingOf(connection, MASTERS_RETIRED))?.split(' '));
    knownOf(inUse);
  };

  const unseal = (sealed: Uint8Array, context: string): string => {
    const id = sealedWith(sealed);
    if (id === undefined || id === 'configured') return unsealUnnamed(sealed, context);
    if (retired.has(id))
      throw new Fault('internal', `${context} is sealed with the master key ${id}, which is retired.`);
    return knownOf(id).named.unseal(sealed, context);
  };

  const unsealUnnamed = (sealed: Uint8Array, context: string): string => {
    const candidates = [...known].filter(([id]) => !retired.has(id)).map(([, { plain }]) => plain);
    const opened = candidates.map((plain) => tryToOpen(plain, sealed, context)).find((text) => text !== undefined);
    if (opened === undefined) throw new Fault('internal', `${context} does not open with any master key given.`);
    return opened;
  };

  await refresh(database);
  const rootSealed = await settingOf(database, MASTER_ROOT);
  const root =
    rootSealed === undefined
      ? knownOf(inUse).key
      : Buffer.from(unseal(Buffer.from(rootSealed, 'base64'), ROOT_CONTEXT), 'base64url');
  return {
    root,
    ids: () => [inUse, ...[...known.keys()].filter((id) => id !== inUse)],
    isRetired: (id) => retired.has(id),
    seal: (plaintext, context) =>
      (named === undefined ? knownOf(inUse).plain : knownOf(inUse).named).seal(plaintext, context),
    sealWith: (id, plaintext, context) => knownOf(id).named.seal(plaintext, context),
    unseal,
    refresh,
  };
}

const settingOf = async (connection: Connection, name: string): Promise<string | undefined> =>
  (await connection.get<{ value: string }>(SETTING, [name]))?.value;

function tryToOpen(sealer: Sealer, sealed: Uint8Array, context: string): string | undefined {
  try {
    return sealer.unseal(sealed, context);
  } catch {
    return undefined;
  }
}

/** The one that opens what stands in a store that never changed it; in an empty store, the first given. */
async function firstMaster(database: Database, known: ReadonlyMap<string, Known>): Promise<string> {
  const [first] = known.keys();
  if (first === undefined) throw new Fault('internal', 'No master key is configured.');
  const rows = await database.all<Row>(KEYS, []);
  for (const { kid, private_sealed: sealed } of rows) {
    for (const [id, { plain }] of known) if (tryToOpen(plain, sealed, keyContext(kid)) !== undefined) return id;
  }
  if (rows[0] === undefined) return first;
  throw new Fault(
    'internal',
    `The key ${rows[0].kid} in the store does not open: secrets.encryptionKey is not the one it was sealed with, or the row was altered.`,
  );
}
