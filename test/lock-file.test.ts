import { readFileSync } from 'node:fs';
import test from 'ava';

interface Entry {
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  readonly packages: Readonly<Record<string, Entry>>;
};

/** Where npm looks for a dependency: beside the package, then in each folder above it. */
function isLocked(name: string, from: string): boolean {
  for (let place = from; ; place = place.slice(0, Math.max(0, place.lastIndexOf('/node_modules/')))) {
    if (`${place}${place === '' ? '' : '/'}node_modules/${name}` in packages) return true;
    if (place === '') return false;
  }
}

test('a clean clone can be installed: the lock file has every package it speaks of, for every platform', (t) => {
  // npm leaves out packages it could not ask for, and then refuses `npm ci` for all of them.
  const missing = Object.entries(packages).flatMap(([from, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !isLocked(name, from))
      .map((name) => `${name} of ${from}`),
  );
  t.deepEqual(missing, []);
});

test('the lock file names no place to download from', (t) => {
  t.deepEqual(
    Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined),
    [],
  );
});
