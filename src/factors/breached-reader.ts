import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { parentPort, workerData } from 'node:worker_threads';
import { createGunzip } from 'node:zlib';
import { breachedKey } from './breached-passwords.ts';

/*
 * The thread that reads a list of breached passwords: it costs seconds for millions of lines, in which sign-ins must go on. Sends one sorted
 * BigUint64Array and ends.
 */

const ENTRIES_MAX = 20_000_000;
const LINE_CHARACTERS_MAX = 512;
const FIRST_ROOM = 65_536;
const DIGEST = /^[0-9A-Fa-f]{40}(?::\d+)?$/;
const DIGEST_CHARACTERS = 16;
const GZIP = [0x1f, 0x8b] as const;

async function* linesOf(file: string): AsyncGenerator<string> {
  const handle = await open(file);
  const { buffer: head } = await handle.read({ buffer: Buffer.alloc(GZIP.length), position: 0 });
  await handle.close();
  const plain = createReadStream(file);
  const isPacked = head[0] === GZIP[0] && head[1] === GZIP[1];
  const input: Readable = isPacked ? plain.pipe(createGunzip()) : plain;
  plain.once('error', (error) => input.destroy(error));
  yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
}

async function* shippedWords(): AsyncGenerator<string> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  yield* dictionary['passwords-common'];
}

async function read(file: string): Promise<BigUint64Array> {
  let keys = new BigUint64Array(FIRST_ROOM);
  let count = 0;
  for await (const line of file === '' ? shippedWords() : linesOf(file)) {
    if (line === '' || line.length > LINE_CHARACTERS_MAX) continue;
    if (count === ENTRIES_MAX) throw new RangeError(`the list has more than ${ENTRIES_MAX} entries`);
    if (count === keys.length) {
      const wider = new BigUint64Array(keys.length * 2);
      wider.set(keys);
      keys = wider;
    }
    keys[count] = DIGEST.test(line) ? BigInt(`0x${line.slice(0, DIGEST_CHARACTERS)}`) : breachedKey(line);
    count += 1;
  }
  return keys.slice(0, count).sort();
}

const list = await read(String(workerData));
parentPort?.postMessage(list, [list.buffer as ArrayBuffer]);
