import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

/** A private folder that goes with the test. */
export function temporaryFolder(t: Pick<ExecutionContext, 'teardown'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'tongban-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A file of this content in a private folder that goes with the test; its path. */
export function temporaryFile(t: Pick<ExecutionContext, 'teardown'>, content: string): string {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, content);
  return path;
}
