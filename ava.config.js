import { join } from 'node:path';

export default {
  extensions: { ts: 'module' },
  files: ['test/**/*.test.ts'],
  timeout: '2m',
  concurrency: 2,
  workerThreads: false,
  // Hundreds of processes load the same code: types are stripped and code is compiled by the first of them.
  environmentVariables: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'tests') },
};
