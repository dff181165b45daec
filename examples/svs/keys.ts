import { createECDH, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One SM2 key pair of the server, in hexadecimal. */
export interface HeldKey {
  readonly privateKeyHex: string;
  readonly publicKeyHex: string;
}

/** The keys of the server. A device would keep them in its own memory and let nobody read them, its owner included. */
export interface KeyStore {
  /** Makes a key and gives it the next number, or undefined when as many are there as it holds. */
  make(): { readonly keyId: string; readonly publicKeyHex: string } | undefined;
  find(keyId: string): HeldKey | undefined;
  /** The SM4 key that wraps master keys, 16 bytes; undefined where there is none of this name. */
  wrapping(keyId: string): Buffer | undefined;
}

const KEYS_MAX = 1_000;
const KEY_ID = /^[1-9]\d{0,3}$/;
const WRAPPING_KEY = 'master';

/** A file for each key, readable by this user alone, named after its number. */
export function openKeyStore(folder: string): KeyStore {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const known = new Map<string, HeldKey>();
  const wrappingFile = join(folder, `${WRAPPING_KEY}.kek`);
  if (!existsSync(wrappingFile))
    writeFileSync(wrappingFile, randomBytes(16).toString('hex'), { mode: 0o600, flag: 'wx' });
  const wrappingKey = Buffer.from(readFileSync(wrappingFile, 'utf8'), 'hex');
  const fileOf = (keyId: string): string => join(folder, `${keyId}.key`);
  return {
    make() {
      for (let number = 1; number <= KEYS_MAX; number += 1) {
        const keyId = String(number);
        if (existsSync(fileOf(keyId))) continue;
        const pair = createECDH('SM2');
        pair.generateKeys();
        writeFileSync(fileOf(keyId), `${pair.getPrivateKey('hex').padStart(64, '0')}\n`, { mode: 0o600, flag: 'wx' });
        return { keyId, publicKeyHex: pair.getPublicKey('hex') };
      }
      return undefined;
    },
    wrapping: (keyId) => (keyId === WRAPPING_KEY ? wrappingKey : undefined),
    find(keyId) {
      if (!KEY_ID.test(keyId)) return undefined;
      const kept = known.get(keyId);
      if (kept !== undefined || !existsSync(fileOf(keyId))) return kept;
      const pair = createECDH('SM2');
      const privateKeyHex = readFileSync(fileOf(keyId), 'utf8').trim();
      pair.setPrivateKey(privateKeyHex, 'hex');
      const held = { privateKeyHex, publicKeyHex: pair.getPublicKey('hex') };
      known.set(keyId, held);
      return held;
    },
  };
}
