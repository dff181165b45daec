import { link, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { randomToken } from '../shared/random.ts';

const OWNER_ONLY = 0o600;
const WRITE_AT_ONCE_CHARS = 256 * 1024;
/** What file systems without hard links answer, such as those of most USB sticks. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES']);

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;

/**
 * Writes a file that only its owner may read, and under its name only when it is whole and on the disk: what is found there was
 * never cut off. `exists`: there was a file of this name, and `force` was not said; it is untouched. Faults of the file system
 * are thrown; nothing is left behind then.
 */
export async function writePrivateFile(
  path: string,
  pieces: AsyncIterable<string> | Iterable<string>,
  { force = false }: { readonly force?: boolean } = {},
): Promise<'written' | 'exists'> {
  if (!force && (await exists(path))) return 'exists';
  const temporary = join(dirname(path), `.${basename(path)}.${randomToken(8)}.part`);
  try {
    await writeAll(temporary, pieces);
    const outcome = await nameIt(temporary, path, force);
    await syncFolder(dirname(path));
    return outcome;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Whether there is something of this name. To be asked before a long work as well as by the writing itself. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function writeAll(path: string, pieces: AsyncIterable<string> | Iterable<string>): Promise<void> {
  const file = await open(path, 'wx', OWNER_ONLY);
  try {
    let waiting = '';
    for await (const piece of pieces) {
      waiting += piece;
      if (waiting.length < WRITE_AT_ONCE_CHARS) continue;
      await file.writeFile(waiting);
      waiting = '';
    }
    await file.writeFile(waiting);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A link never replaces a file, so that of two who write at once one is told. */
async function nameIt(temporary: string, path: string, force: boolean): Promise<'written' | 'exists'> {
  try {
    if (!force) await link(temporary, path);
    else await rename(temporary, path);
    return 'written';
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (code === 'EEXIST') return 'exists';
    if (force || !NO_LINKS.has(code)) throw error;
    if (await exists(path)) return 'exists';
    await rename(temporary, path);
    return 'written';
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
