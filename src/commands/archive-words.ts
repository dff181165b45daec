import { readFile, stat } from 'node:fs/promises';
import { type Checkpoint, parseNote } from '../ledger/checkpoints/checkpoint.ts';
import type { ArchiveKey } from './archive.ts';

export interface ArchiveContext {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

const KEY_BYTES_MIN = 32;
const KEY_BYTES_MAX = 4096;
const PASSPHRASE_LENGTH_MIN = 16;
const NOTE_BYTES_MAX = 64 * 1024;

export const KEY_OPTIONS = { 'key-file': { type: 'string' }, 'passphrase-stdin': { type: 'boolean' } } as const;

/** The key an operator named, or a sentence on what is wrong with it. */
export async function keyFrom(
  words: { readonly 'key-file'?: string | undefined; readonly 'passphrase-stdin'?: boolean | undefined },
  { stdin }: Pick<ArchiveContext, 'stdin'>,
): Promise<ArchiveKey | string> {
  const file = words['key-file'];
  if ((file === undefined) === (words['passphrase-stdin'] !== true)) {
    return 'Say --key-file FILE, or --passphrase-stdin and type the passphrase on standard input.';
  }
  if (file !== undefined) {
    const size = await stat(file).then(
      (found) => found.size,
      () => undefined,
    );
    if (size === undefined) return `${file} cannot be read.`;
    if (size < KEY_BYTES_MIN || size > KEY_BYTES_MAX)
      return `${file} must hold ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX} bytes.`;
    return { bytes: await readFile(file) };
  }
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk));
    if (chunks.length > KEY_BYTES_MAX || Buffer.concat(chunks).length > KEY_BYTES_MAX)
      return 'That is too long for a passphrase.';
  }
  const [passphrase = ''] = Buffer.concat(chunks).toString('utf8').split(/\r?\n/, 1);
  if (passphrase.length < PASSPHRASE_LENGTH_MIN) return `A passphrase has ${PASSPHRASE_LENGTH_MIN} characters or more.`;
  return { passphrase };
}

/** What a note of the ledger, signed or cosigned, says; whoever takes it for true verifies its signatures. */
export const statedIn = (note: string): Checkpoint | undefined =>
  note.length > NOTE_BYTES_MAX ? undefined : parseNote(note)?.checkpoint;
