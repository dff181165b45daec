import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { configFileOf, type Environment } from './config/load.ts';
import type { Config } from './config/schema.ts';
import { deriveKeyBytes, equalInConstantTime, framed, hmacKey, hmacSm3 } from './crypto/digests.ts';

/** A file of settings and the seal beside it. */
const sealPath = (file: string): string => `${file}.seal`;
const MARK = 'hmac-sm3 ';
const SEAL_MODE = 0o644;

/** HMAC-SM3 over the bytes of the file, under a key out of the one that seals everything at rest. Not over its path: files are moved. */
function sealOf({ secrets }: Pick<Config, 'secrets'>, bytes: Uint8Array): string {
  const key = deriveKeyBytes(hmacKey(Buffer.from(secrets.encryptionKey, 'utf8')), 'config-seal');
  return `${MARK}${hmacSm3(hmacKey(key), framed('config', bytes)).toString('hex')}\n`;
}

/**
 * Why the file TONGBAN_CONFIG names must not be used; undefined where nothing is wrong with it. A seal that lies beside it must be right.
 * That there is one can only be demanded from outside the file (TONGBAN_CONFIG_SEAL=required): who changes the file could take a setting out of it.
 */
export function configRefusal(config: Pick<Config, 'secrets'>, env?: Environment): string | undefined {
  const { file, needsSeal } = configFileOf(env);
  if (file === undefined) return needsSeal ? NOTHING_TO_SEAL : undefined;
  const seal = textOf(sealPath(file));
  if (seal === undefined)
    return needsSeal ? `${file} has no seal: look at it, then run "tongban config seal".` : undefined;
  // Under no key at all anybody could have made it.
  if (config.secrets.encryptionKey === '') return NO_KEY;
  if (equalInConstantTime(seal, sealOf(config, readFileSync(file)))) return undefined;
  return `${file} is not as it was sealed, or was sealed with another secrets.encryptionKey. Compare it with the version you know, then run "tongban config seal".`;
}

/** Seals the file as it is now. Resolves with where the seal lies; undefined where no file is named. */
export function sealConfigFile(config: Pick<Config, 'secrets'>, env?: Environment): string | undefined {
  const { file } = configFileOf(env);
  if (file === undefined) return undefined;
  const path = sealPath(file);
  // Whole or not there: a server that starts meanwhile must not find half of it.
  writeFileSync(`${path}.part`, sealOf(config, readFileSync(file)), { mode: SEAL_MODE });
  renameSync(`${path}.part`, path);
  return path;
}

const NO_KEY = 'The seal of the configuration cannot be judged: secrets.encryptionKey is empty (keyService.keyFiles).';
const NOTHING_TO_SEAL = 'TONGBAN_CONFIG_SEAL is required, but TONGBAN_CONFIG names no file.';

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
