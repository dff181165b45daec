import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { causeOf, type Feed, FeedFailure } from './feed.ts';
import type { FileSetting } from './feed-setting.ts';

const OWNER_ONLY = 0o600;
/** Longer than any line we write: within it a whole line begins. */
const TAIL_BYTES = 524_288;
const LINE_FEED = 0x0a;

/**
 * Lines in a file of its own (mode 0600), one event a line; the receiver has a batch when it lies on the disk (fsync). Past
 * `bytesMax` the file becomes `<path>.1`, that one `.2`, and so on up to `filesMax` files in all; the oldest is overwritten.
 * A line that a crash cut off is taken away before the next is written, since its event was never confirmed.
 */
export function createFileFeed({ path, bytesMax, filesMax }: FileSetting): Feed {
  return {
    async send(batch, signal) {
      try {
        const lines = Buffer.from(batch.map(({ text }) => `${text}\n`).join(''), 'utf8');
        await rotateBefore(path, lines.length, bytesMax, filesMax);
        signal.throwIfAborted();
        await append(path, lines);
      } catch (error) {
        throw new FeedFailure('retryable', `cannot be written (${causeOf(error)})`, error);
      }
    },
    doubt: () => undefined,
    close: async () => undefined,
  };
}

const sizeOf = async (path: string): Promise<number | undefined> => {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (causeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
};

async function rotateBefore(path: string, bytes: number, bytesMax: number, filesMax: number): Promise<void> {
  const size = (await sizeOf(path)) ?? 0;
  if (size === 0 || size + bytes <= bytesMax) return;
  const nameOf = (number: number): string => (number === 0 ? path : `${path}.${number}`);
  for (let number = filesMax - 2; number >= 0; number -= 1) {
    if ((await sizeOf(nameOf(number))) !== undefined) await rename(nameOf(number), nameOf(number + 1));
  }
  await syncFolder(path);
}

async function append(path: string, lines: Buffer): Promise<void> {
  const isNew = (await sizeOf(path)) === undefined;
  const file = await open(path, isNew ? 'wx+' : 'r+', OWNER_ONLY);
  try {
    if (isNew) await file.chmod(OWNER_ONLY);
    const end = isNew ? 0 : await endOfLines(file);
    try {
      for (let written = 0; written < lines.length; ) {
        written += (await file.write(lines, written, lines.length - written, end + written)).bytesWritten;
      }
      await file.sync();
    } catch (error) {
      // A full disk leaves a part of the batch, which comes again as a whole.
      await file.truncate(end);
      throw error;
    }
  } finally {
    await file.close();
  }
  if (isNew) await syncFolder(path);
}

/** Where the next line begins. Cuts off what stands after the last line feed. */
async function endOfLines(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const from = Math.max(0, size - TAIL_BYTES);
  const tail = Buffer.alloc(size - from);
  await file.read(tail, 0, tail.length, from);
  const last = tail.lastIndexOf(LINE_FEED);
  if (last === -1 && from > 0) throw new Error('not a file of lines');
  const end = from + last + 1;
  if (end < size) await file.truncate(end);
  return end;
}

/** A new name is durable when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
