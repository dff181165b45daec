import { spawn } from 'node:child_process';
import { runCommand } from './server-process.ts';

/** Who is to be in a store, those of `syntheticPerson` from the first on. */
export interface Wanted {
  readonly people: number;
  readonly companies: number;
  /** Percent of the people who also sign in by a phone. */
  readonly phoneShare: number;
  /** The first so many share the password of the demonstration. */
  readonly withPassword: number;
}

const ROOT = new URL('..', import.meta.url).pathname;
const SEED = ['src/main.js', 'demo', 'seed'];

/** Fills the configured store up to so many people by `tongban demo seed`, and lets its progress be seen: a million takes minutes. */
export async function seedPeople(env: Readonly<Record<string, string>>, wanted: Wanted): Promise<void> {
  const there = JSON.parse(await runCommand([...SEED, '--people', '0', '--json'], env)) as {
    readonly total: { readonly people: number };
  };
  const missing = wanted.people - there.total.people;
  if (missing <= 0) return;
  const args = ['--people', String(missing), '--companies', String(wanted.companies)];
  const extras = ['--phones', String(wanted.phoneShare), '--with-password', String(wanted.withPassword)];
  await new Promise<void>((done, reject) => {
    const child = spawn(process.execPath, [...SEED, ...args, ...extras], {
      cwd: ROOT,
      env: { ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    process.once('exit', () => child.kill());
    child.once('exit', (code) => (code === 0 ? done() : reject(new Error(`demo seed ended with ${code}`))));
  });
}
