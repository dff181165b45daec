import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/** Stores of tests live for seconds: where memory has room for them nobody waits for a disk. */
const IN_MEMORY = '/dev/shm';
const ROOM_BYTES = 2 ** 32;

function hasRoom(folder) {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize >= ROOM_BYTES;
}

export default {
  extensions: { ts: 'module' },
  files: ['test/**/*.test.ts'],
  timeout: '2m',
  concurrency: 2,
  workerThreads: false,
  // Hundreds of processes load the same code: types are stripped and code is compiled by the first of them.
  environmentVariables: {
    NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'tests'),
    ...(hasRoom(IN_MEMORY) ? { TMPDIR: IN_MEMORY } : {}),
  },
};
