import { constants, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/storage/open.ts';

/**
 * Puts an empty store of this version at `file`, where none may be yet. The migrations make it once for each process, and every further store
 * is a copy of that one: to migrate is two fifths of what it takes to start a server.
 */
export async function layStore(file: string): Promise<void> {
  template ??= migratedFile();
  copyFileSync(await template, file, constants.COPYFILE_EXCL);
}

let template: Promise<string> | undefined;

async function migratedFile(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tongban-template-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'empty.db');
  const database = await openDatabase({ file });
  await database.close();
  return file;
}
