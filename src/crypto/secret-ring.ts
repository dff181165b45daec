import { monotonicMs } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { Connection, Database } from '../storage/database.ts';
import { KEYS_VERSION } from './keys-version.ts';
import { type KeySealer, keyContext } from './master-keys.ts';

/** What the secrets of the house are for. A key serves one purpose and no other. */
export const RING_PURPOSES = ['sealing', 'index', 'pepper', 'cookies', 'rows'] as const;
export type RingPurpose = (typeof RING_PURPOSES)[number];

/** The id of the key that stands in the configuration: the first of every purpose. */
export const CONFIGURED = 'configured';

export type RingState = 'next' | 'current' | 'previous';

/** Times are epoch seconds. */
export interface RingKey {
  /** 8 hexadecimal digits, or `configured`. */
  readonly id: string;
  readonly purpose: RingPurpose;
  readonly state: RingState;
  /** 32 bytes; of the configured key what is configured. */
  readonly material: Uint8Array;
  readonly createdAt: number;
  readonly activatedAt: number | undefined;
  /** Before this a replaced key may not go, whatever the rows say. */
  readonly retiresAt: number | undefined;
}

/**
 * The symmetric keys of the house as this process knows them. They lie in the table `keys`, sealed with the master key in use. Written only by
 * key-rotation.ts and master-rotation.ts; every process looks twice a second whether something changed.
 */
export interface SecretRing {
  /** The one in use first, then the one that waits, then the replaced ones, newest first. The same array until something changes. */
  keys(purpose: RingPurpose): readonly RingKey[];
  /**
   * The key to write with. Throws `Fault('storage_unavailable')` when this process could not look at the ring for minutes: others may have
   * replaced and removed the key meanwhile, and what is sealed with a removed key is lost.
   */
  writing(purpose: RingPurpose): RingKey;
  /** Looks whether something changed; inside a transaction, at what that transaction sees. */
  refresh(connection?: Connection): Promise<void>;
  close(): void;
}

export interface SecretRingOptions {
  readonly database: Database;
  readonly master: KeySealer;
  readonly configured: Readonly<Record<RingPurpose, Uint8Array>>;
}

export const RING_LOOK_MS = 500;
/** Shorter than a replaced key stays (RETIRE_AFTER_SECONDS in key-rotation.ts), by more than clocks run apart in that time. */
const CONFIRMED_MS_MAX = 240_000;

const VERSION = 'SELECT value FROM settings WHERE name = $1';
const SELECT = `SELECT kid, purpose, state, private_sealed, created_at, activated_at, retires_at FROM keys
  WHERE purpose IN ('sealing', 'index', 'pepper', 'cookies', 'rows') ORDER BY activated_at DESC, created_at DESC, kid`;
const ANY = 'SELECT 1 AS one FROM keys WHERE purpose = $1 LIMIT 1';
const ADOPT = `INSERT INTO keys (kid, purpose, alg, state, public_jwk, private_sealed, created_at, activated_at)
  VALUES ($1, $2, $3, 'current', '{}', $4, 0, 0) ON CONFLICT DO NOTHING`;

/** The algorithm each purpose is for, as the table and the ledger name it. */
export const RING_ALGORITHMS: Readonly<Record<RingPurpose, string>> = {
  sealing: 'SM4-CTR-HMAC-SM3',
  index: 'HMAC-SM3',
  pepper: 'HMAC-SM3',
  cookies: 'HMAC-SHA256',
  rows: 'HMAC-SM3',
};

interface Row {
  readonly kid: string;
  readonly purpose: RingPurpose;
  readonly state: RingState;
  readonly private_sealed: Uint8Array;
  readonly created_at: number;
  readonly activated_at: number | null;
  readonly retires_at: number | null;
}

const STATE_ORDER: Readonly<Record<RingState, number>> = { current: 0, next: 1, previous: 2 };

/** Where the key `id` of a purpose stands in the table. */
export const ringKid = (purpose: RingPurpose, id: string): string => (id === CONFIGURED ? `${purpose}:${id}` : id);

/**
 * Opens the ring; at the first start the configured keys become its first ones. Throws `Fault('internal')` when the keys in the store were
 * sealed with another encryption key than the configured one: nothing could be read, and what were written would be a second truth.
 */
export async function openSecretRing({ database, master, configured }: SecretRingOptions): Promise<SecretRing> {
  let keys = new Map<RingPurpose, readonly RingKey[]>();
  let version: string | undefined;
  let confirmedMs = monotonicMs();

  const keyOf = (row: Row): RingKey => {
    const { kid, purpose, state, private_sealed: sealed, created_at: createdAt } = row;
    const id = kid === ringKid(purpose, CONFIGURED) ? CONFIGURED : kid;
    const material = Buffer.from(opened(master, sealed, kid), 'base64url');
    return {
      id,
      purpose,
      state,
      material: id === CONFIGURED ? configured[purpose] : material,
      createdAt: Number(createdAt),
      activatedAt: row.activated_at === null ? undefined : Number(row.activated_at),
      retiresAt: row.retires_at === null ? undefined : Number(row.retires_at),
    };
  };

  const load = async (connection: Connection): Promise<void> => {
    const rows = (await connection.all<Row>(SELECT, [])).map(keyOf);
    const of = (purpose: RingPurpose): readonly RingKey[] =>
      rows
        .filter((key) => key.purpose === purpose)
        .toSorted((left, right) => STATE_ORDER[left.state] - STATE_ORDER[right.state]);
    const loaded = new Map(RING_PURPOSES.map((purpose) => [purpose, of(purpose)]));
    for (const [purpose, [first]] of loaded) {
      if (first?.state !== 'current') throw new Fault('internal', `No key of the purpose ${purpose} is in use.`);
    }
    keys = loaded;
  };

  const refresh = async (connection: Connection = database): Promise<void> => {
    const askedMs = monotonicMs();
    const row = await connection.get<{ value: string }>(VERSION, [KEYS_VERSION]);
    const seen = row?.value ?? '0';
    if (seen !== version) {
      await master.refresh(connection);
      await load(connection);
      version = seen;
    }
    confirmedMs = askedMs;
  };

  for (const purpose of RING_PURPOSES) {
    const kid = ringKid(purpose, CONFIGURED);
    const row = [kid, purpose, RING_ALGORITHMS[purpose], master.seal('', keyContext(kid))];
    await database.write(async (tx) => {
      if ((await tx.get(ANY, [purpose])) === undefined) await tx.run(ADOPT, row);
    });
  }
  await refresh();
  const timer = setInterval(() => {
    // A store that does not answer is told of elsewhere; here it means that the ring is not confirmed.
    refresh().catch(() => undefined);
  }, RING_LOOK_MS);
  timer.unref();

  return {
    keys: (purpose) => keys.get(purpose)!,
    writing(purpose) {
      if (monotonicMs() - confirmedMs > CONFIRMED_MS_MAX) {
        throw new Fault('storage_unavailable', 'The keys could not be looked at for minutes; nothing is sealed.');
      }
      return keys.get(purpose)![0]!;
    },
    refresh,
    close: () => clearInterval(timer),
  };
}

function opened(master: KeySealer, sealed: Uint8Array, kid: string): string {
  try {
    return master.unseal(sealed, keyContext(kid));
  } catch (cause) {
    throw new Fault(
      'internal',
      `The key ${kid} in the store does not open: secrets.encryptionKey is not the one it was sealed with, nor another master key given, or the row was altered.`,
      { cause },
    );
  }
}
