// Plain JavaScript, for the compiler that strips types is itself fifty milliseconds of a start: with the cache on, nothing needs it.
import { enableCompileCache, registerHooks } from 'node:module';
import { join } from 'node:path';

// Types are stripped and code is compiled once per version of a file, not at every start: half of a start's time.
// A folder that cannot be written is no fault; the cache lies beside the code, where only its owner writes.
enableCompileCache(join(import.meta.dirname, '..', 'node_modules', '.cache', 'compile'));

// Our files name each other by their whole relative path. To ask the file system about each of some five hundred, and for the `package.json` above it, was a
// fifteenth of a start.
const OURS = new URL('.', import.meta.url).href;
registerHooks({
  resolve(specifier, context, next) {
    const isOurs = specifier.startsWith('.') && specifier.endsWith('.ts') && context.parentURL?.startsWith(OURS);
    if (!isOurs) return next(specifier, context);
    return { url: new URL(specifier, context.parentURL).href, format: 'module-typescript', shortCircuit: true };
  },
});
await import('./main.ts');
