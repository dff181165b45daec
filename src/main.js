// Plain JavaScript, for the compiler that strips types is itself fifty milliseconds of a start: with the cache on, nothing needs it.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Types are stripped and code is compiled once per version of a file, not at every start: half of a start's time.
// A folder that cannot be written is no fault; the cache lies beside the code, where only its owner writes.
enableCompileCache(join(import.meta.dirname, '..', 'node_modules', '.cache', 'compile'));
await import('./main.ts');
