import type { Logger } from 'pino';
import type { House } from './app.ts';
import type { Config } from './config/schema.ts';
import { type BlindIndex, createRingIndex } from './crypto/blind-index.ts';
import { dependentsOf } from './crypto/key-dependents.ts';
import { createKeyRotation, type KeyRotation } from './crypto/key-rotation.ts';
import { type MasterKeys, openMasterKeys } from './crypto/master-keys.ts';
import { createMasterRotation, type MasterRotation } from './crypto/master-rotation.ts';
import { createResealing, sealedWalks } from './crypto/resealing.ts';
import { createRingSealer } from './crypto/ring-sealer.ts';
import { createRootRotation, type RootRotation } from './crypto/root-rotation.ts';
import { configuredRowKey } from './crypto/row-seals.ts';
import { sealWalks } from './crypto/row-walks.ts';
import { type Sealer, toldSealer } from './crypto/sealing.ts';
import { openSecretRing, type SecretRing } from './crypto/secret-ring.ts';
import { keepLedgerKey } from './ledger/checkpoints/ledger-key.ts';
import type { Ledger, LedgerEvent } from './ledger/ledger.ts';
import { companyIndexWalks } from './legal-persons/reindexing.ts';
import { fetchMasterKeys } from './master-doors.ts';
import type { Persons } from './people/persons.ts';
import { peopleIndexWalks } from './people/reindexing.ts';
import type { RowSealing } from './row-doors.ts';
import type { Database } from './storage/database.ts';
import { type NightlyJob, type RunningNightlyJob, startNightlyJob } from './storage/nightly-job.ts';

/** The keys everything at rest stands under, and what seals and finds with them. */
export interface KeyMaterial {
  readonly ring: SecretRing;
  /** Seals the keys themselves. */
  readonly master: MasterKeys;
  readonly sealer: Sealer;
  readonly index: BlindIndex;
}

export interface KeyDoors {
  readonly secretRing: SecretRing;
  readonly keyRotation: KeyRotation;
  readonly masterRotation: MasterRotation;
  readonly rootRotation: RootRotation;
  /** What keys of the house are derived from that are in no ring. It outlives the master key (crypto/master-keys.ts). */
  readonly rootKey: Uint8Array;
  /** The walk that brings everything under the keys in use, at so many rows a second. */
  readonly resealing: (rowsPerSecond: number) => NightlyJob;
}

const bytesOf = (secret: string): Buffer => Buffer.from(secret, 'utf8');

/** The master keys that are configured, the first of which begins a new store. */
const masterKeysOf = ({ encryptionKey, otherEncryptionKeys }: Config['secrets']): readonly Uint8Array[] =>
  [encryptionKey, ...otherEncryptionKeys].filter((key) => key !== '').map(bytesOf);

/** Opens what seals the keys. `fetched` are the master keys of the key service, for those who have asked it already. */
export async function openMaster(config: Config, raw: Database, fetched?: readonly Uint8Array[]): Promise<MasterKeys> {
  return openMasterKeys(raw, [...masterKeysOf(config.secrets), ...(fetched ?? (await fetchMasterKeys(config)))]);
}

/** Opens the ring of the house. `altered` is told of every place whose sealed value does not open. */
export async function openKeys(
  { secrets }: Config,
  database: Database,
  master: MasterKeys,
  altered: (place: string) => void,
): Promise<KeyMaterial> {
  const ring = await openSecretRing({
    database,
    master,
    configured: {
      sealing: master.root,
      index: bytesOf(secrets.indexKey),
      pepper: bytesOf(secrets.pepper),
      cookies: bytesOf(secrets.cookieKeys[0] ?? ''),
      rows: configuredRowKey(master.root),
    },
  });
  return {
    ring,
    master,
    sealer: toldSealer(createRingSealer(ring), altered),
    index: createRingIndex(ring, bytesOf(secrets.indexKey), database.engine),
  };
}

/** The event of a sealed value that does not open. A place is `table:column:row`. */
export function alteredEvent(place: string): LedgerEvent {
  const [table = '', column = '', ...row] = place.split(':');
  const details = { table, column, row: row.join(':') };
  return { type: 'sealed-data.altered', outcome: 'failure', actor: 'system', details };
}

/** How long a row lives in Redis, where nobody counts what stands under a key. */
const elsewhereSeconds = ({ redis, ttl }: Config): number =>
  redis.url === '' ? 0 : Math.max(ttl.interactionSeconds, ttl.accessTokenSeconds, ttl.clientCredentialsSeconds);

/** What changes the keys. A cookie may come back for as long as the longest session. */
export function createKeyDoors(
  config: Config,
  { ring, master, sealer, index }: KeyMaterial,
  rows: Pick<RowSealing, 'database' | 'raw' | 'seals' | 'tell'>,
  { ledger, persons }: { readonly ledger: Ledger; readonly persons: Pick<Persons, 'forgetEverybody'> },
): KeyDoors {
  const { database } = rows;
  const shared = { database, sealer, index, ring };
  const walks = [
    ...sealedWalks(database, sealer, ring),
    ...peopleIndexWalks(shared),
    ...companyIndexWalks(shared),
    ...sealWalks(rows, ring, rows.tell),
  ];
  return {
    secretRing: ring,
    rootKey: master.root,
    masterRotation: createMasterRotation({ database, master, ring, ledger }),
    rootRotation: createRootRotation({
      database,
      root: master.root,
      master,
      ring,
      ledger,
      keepLedgerKey: async (tx) => {
        if (config.ledger.signingKeyFile === '') await keepLedgerKey(tx, master, master.root);
      },
    }),
    keyRotation: createKeyRotation({
      database,
      ring,
      master,
      ledger,
      dependents: (purpose, id) => dependentsOf(database, purpose, id),
      lifeSeconds: {
        sealing: 0,
        index: 0,
        pepper: 0,
        cookies: config.session.absoluteSeconds,
        rows: elsewhereSeconds(config),
      },
    }),
    resealing: (rowsPerSecond) =>
      createResealing({
        database,
        walks,
        rowsPerSecond,
        forget: () => persons.forgetEverybody(),
        tell: (tx, counts) => ledger.append(tx, { type: 'key.resealed', actor: 'system', details: { ...counts } }),
      }),
  };
}

/** Has what stands under replaced keys brought under those in use, at night, by whichever node comes first. */
export const runKeyNights = (
  { database, config, resealing }: House,
  log: Logger,
  isOurs: () => boolean,
): RunningNightlyJob =>
  startNightlyJob({
    database,
    job: resealing(config.keys.resealedPerSecond),
    isOurs,
    window: config.recheck.window,
    onFault: (error) => log.error({ err: error }, 'sealing anew broke off and is tried again'),
  });
