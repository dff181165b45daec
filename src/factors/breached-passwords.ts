import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { monotonicMs } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';

/**
 * Passwords known from breaches and from lists of the most common ones (D3), asked in memory and never outside. Without a file of one's own it is
 * the list of common passwords that comes compressed with `@zxcvbn-ts/language-common`; with one both count.
 */
export interface BreachedPasswords {
  /** Whether the password, as typed or in lower case, is on a list. The first call waits until the lists are read. */
  has(password: string): Promise<boolean>;
}

/** The first eight bytes of the SHA-1 of each, in order: small, and the form in which breaches are published. */
export type BreachedList = BigUint64Array;

export const breachedKey = (password: string): bigint => hash('sha1', password, 'buffer').readBigUInt64BE(0);

const LOOKED_AT_MS = 60_000;

let shipped: Promise<BreachedList> | undefined;

/**
 * `file`: one entry a line, a password or the SHA-1 of one with or without `:count` behind it, as plain text or gzip; empty for none. Read on a
 * thread of its own, and again within a minute after it was replaced. Throws `Fault('internal')` when it is not there.
 */
export function createBreachedPasswords({
  file,
  onFault,
  lookedAtMs: everyMs = LOOKED_AT_MS,
}: {
  readonly file: string;
  /** The file could not be read again; what was read before goes on to hold. */
  readonly onFault: (error: unknown) => void;
  /** How often it is looked at whether the file was replaced; a minute when left out. */
  readonly lookedAtMs?: number;
}): BreachedPasswords {
  if (file !== '' && statSync(file, { throwIfNoEntry: false })?.isFile() !== true)
    throw new Fault('internal', `password.breachedFile ${file} is no file that can be read.`);
  let own: Promise<BreachedList> | undefined;
  let readAt = '';
  let lookedAtMs = 0;

  const version = async (): Promise<string> => {
    const { mtimeMs, size } = await stat(file);
    return `${mtimeMs} ${size}`;
  };
  const follow = async (): Promise<void> => {
    try {
      const now = await version();
      if (now === readAt) return;
      const fresh = await readOnThread(file);
      readAt = now;
      own = Promise.resolve(fresh);
    } catch (error) {
      onFault(error);
    }
  };
  const ownList = async (): Promise<BreachedList> => {
    if (file === '') return new BigUint64Array();
    if (own === undefined) {
      lookedAtMs = monotonicMs();
      readAt = await version();
      own ??= readOnThread(file);
    } else if (monotonicMs() - lookedAtMs > everyMs) {
      lookedAtMs = monotonicMs();
      void follow();
    }
    return own;
  };

  return {
    async has(password) {
      shipped ??= readOnThread('');
      const lists = await Promise.all([shipped, ownList()]);
      const keys = new Set([password, password.toLowerCase()].map(breachedKey));
      return lists.some((list) => [...keys].some((key) => holds(list, key)));
    },
  };
}

function holds(list: BreachedList, key: bigint): boolean {
  let [low, high] = [0, list.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = list[middle]!;
    if (found === key) return true;
    if (found < key) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}

/** The empty name is the list that is shipped. */
function readOnThread(file: string): Promise<BreachedList> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./breached-reader.ts', import.meta.url), { workerData: file });
    worker.unref();
    worker.once('message', (list: BreachedList) => resolve(list));
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('The reader of breached passwords ended without a list.')));
  });
}
