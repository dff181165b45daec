import { writeFileSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import { openKeyService, wrappedKeyText } from '../master-doors.ts';

export interface WrapContext {
  readonly config: Pick<Config, 'keyService'>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

const USAGE = `Usage:
  tongban keys wrap FILE   let the key service (section keyService) make a master key, and keep it wrapped in a new file
`;

/** `tongban keys wrap FILE`. No store is opened: it is how one begins. The key itself is neither shown nor written. */
export async function runWrap(args: readonly string[], { config, stdout, stderr }: WrapContext): Promise<number> {
  const [file, ...more] = args;
  if (file === undefined || more.length > 0) {
    stderr.write(USAGE);
    return 2;
  }
  if (config.keyService.url === '') {
    stderr.write('There is no key service: set keyService.url, and how both sides prove who they are.\n');
    return 1;
  }
  const key = await openKeyService(config).newKey();
  try {
    writeFileSync(file, wrappedKeyText(key), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown cause';
    stderr.write(`${file} could not be written (${code}); an existing file is never replaced.\n`);
    return 1;
  }
  stdout.write(`${file}: the master key ${key.id}, wrapped with ${key.keyId}. Name the file in keyService.keyFiles.\n`);
  return 0;
}
