import { deriveKeyBytes, hmacKey } from '../../crypto/digests.ts';
import { type KeySealer, keyContext } from '../../crypto/master-keys.ts';
import { wholeNumber } from '../../crypto/signer.ts';
import { isSm2PrivateKey, readSm2KeyFile } from '../../crypto/sm2-key-file.ts';
import { sm2PublicKey } from '../../crypto/sm2-software-signer.ts';
import { nowSeconds } from '../../shared/clock.ts';
import type { Connection, Database, Transaction } from '../../storage/database.ts';
import { encodeVerifierKey } from './checkpoint.ts';

/** Who this ledger is, and with what it signs. */
export interface LedgerKey {
  /** The first line of every checkpoint. */
  readonly origin: string;
  readonly privateKeyHex: string;
  /** 65 bytes: 0x04 || X || Y. */
  readonly publicKey: Buffer;
  /** What an auditor keeps: name, key id and public key in one text (C2SP signed note). */
  readonly verifierKey: string;
}

export interface LedgerKeySources {
  /** The name this ledger has had from its first day (`ledgerOrigin`). */
  readonly origin: string;
  /** A file with 64 hexadecimal digits, readable by its owner alone; empty: what is kept, or derived from `rootKey`. */
  readonly file: string;
  /** The key that was derived of a root before this one (`keptLedgerKey`). */
  readonly kept: string | undefined;
  readonly rootKey: Uint8Array;
}

const ORIGIN_LENGTH_MAX = 128;

/**
 * The signing key of the ledger (SM2, GB/T 32918). Throws `Fault('internal')` when the file is missing, open to others or holds
 * no key. A derived key keeps a small site free of one more secret: whoever holds the root key opens every sealed column anyway.
 */
export function ledgerKey({ origin, file, kept, rootKey }: LedgerKeySources): LedgerKey {
  const privateKeyHex =
    file === '' ? (kept ?? derived(rootKey)) : readSm2KeyFile(file, 'The signing key of the ledger');
  const publicKey = sm2PublicKey(privateKeyHex);
  return { origin, privateKeyHex, publicKey, verifierKey: encodeVerifierKey(origin, 'sm2-sm3', publicKey) };
}

const KEPT = 'ledger';
const FIND_KEPT = 'SELECT private_sealed FROM keys WHERE kid = $1';
const KEEP = `INSERT INTO keys (kid, purpose, alg, state, public_jwk, private_sealed, created_at, activated_at)
  VALUES ($1, $1, 'SM2', 'current', '{}', $2, $3, $3) ON CONFLICT (kid) DO NOTHING`;

/** The derived key of a ledger whose root was replaced: a ledger has one key from its first day. Undefined where it never was. */
export async function keptLedgerKey(
  connection: Pick<Connection, 'get'>,
  master: Pick<KeySealer, 'unseal'>,
): Promise<string | undefined> {
  const row = await connection.get<{ private_sealed: Uint8Array }>(FIND_KEPT, [KEPT]);
  return row && master.unseal(row.private_sealed, keyContext(KEPT));
}

/** Keeps the key that is derived of this root, before there is another root; one that is kept already stays. */
export async function keepLedgerKey(
  tx: Transaction,
  master: Pick<KeySealer, 'seal'>,
  rootKey: Uint8Array,
): Promise<void> {
  await tx.run(KEEP, [KEPT, master.seal(derived(rootKey), keyContext(KEPT)), nowSeconds()]);
}

const ORIGIN_SETTING = 'ledger.origin';
const FIND = 'SELECT value FROM settings WHERE name = $1';
const NAME_ONCE = 'INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING';

/**
 * The name of the ledger in this store: `wanted`, or the issuer's host with `/audit`, at the first start, and the same ever after.
 * A server that moves to another address keeps its ledger, and every checkpoint its name.
 */
export async function ledgerOrigin(database: Database, wanted: string, issuer: string): Promise<string> {
  const stored = await database.get<{ value: string }>(FIND, [ORIGIN_SETTING]);
  if (stored) return stored.value;
  const name = (wanted === '' ? `${new URL(issuer).host}/audit` : wanted).slice(0, ORIGIN_LENGTH_MAX);
  await database.run(NAME_ONCE, [ORIGIN_SETTING, name]);
  return (await database.get<{ value: string }>(FIND, [ORIGIN_SETTING]))?.value ?? name;
}

function derived(rootKey: Uint8Array): string {
  const root = hmacKey(rootKey);
  for (let attempt = 0; ; attempt += 1) {
    const bytes = deriveKeyBytes(root, `ledger/sm2/${attempt}`);
    if (isSm2PrivateKey(wholeNumber(bytes))) return bytes.toString('hex');
  }
}
