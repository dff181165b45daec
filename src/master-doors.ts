import { z } from 'zod';
import type { Config } from './config/schema.ts';
import { createKeyService, type KeyService, type WrappedKey, wrappedSchema } from './crypto/remote/key-service.ts';
import { readPrivateFile } from './crypto/sm2-key-file.ts';
import { deviceTransport } from './device-doors.ts';
import { Fault } from './shared/fault.ts';

const FILE = z.strictObject({
  format: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{8}$/),
  keyId: z.string().regex(/^[\w.-]{1,64}$/),
  wrapped: wrappedSchema,
});

/** The text of a file that holds a wrapped master key. */
export const wrappedKeyText = (key: WrappedKey): string => `${JSON.stringify({ format: 1, ...key }, null, 2)}\n`;

/** Opens the configured key service; nobody is called. Throws `Fault('internal')` for a file that cannot be used. */
export function openKeyService({ keyService }: Pick<Config, 'keyService'>): KeyService {
  return createKeyService({ ...keyService, transport: deviceTransport(keyService, 'key service') });
}

/**
 * The master keys that a key service unwraps, in the order of their files; they are held in memory from then on. Throws
 * `Fault('internal')` when a file is none, and when the service is away or answers with another key: then nothing is opened.
 */
export async function fetchMasterKeys(config: Config): Promise<readonly Uint8Array[]> {
  const files = config.keyService.keyFiles;
  if (files.length === 0) return [];
  const service = openKeyService(config);
  const keys: Uint8Array[] = [];
  for (const file of files) keys.push(await service.unwrap(readWrappedKey(file)));
  return keys;
}

function readWrappedKey(file: string): WrappedKey {
  const text = readPrivateFile(file, 'The wrapped master key');
  try {
    const { format: _, ...key } = FILE.parse(JSON.parse(text));
    return key;
  } catch (error) {
    throw new Fault('internal', `${file} holds no wrapped master key: make one with tongban keys wrap.`, {
      cause: error,
    });
  }
}
