import { createReadStream, createWriteStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { createStreamSealer, keyOfPassphrase, sm3Stream } from '../crypto/sealed-stream.ts';
import { randomSecret } from '../shared/random.ts';

/** The archive is not what it should be, or the key is another one; in a sentence for the operator. */
export class ArchiveDamaged extends Error {
  override readonly name = 'ArchiveDamaged';
}

/** How an archive is opened: the bytes of a key file, or words. */
export type ArchiveKey = { readonly bytes: Buffer } | { readonly passphrase: string };

const FORMAT = 'tongban-backup/1';
const HEADER_BYTES_MAX = 4096;
const PIECE_BYTES = 1024 * 1024;
const SEALED_BYTES_MAX = PIECE_BYTES + 1024;
const LENGTH_BYTES = 4;
const MANIFEST_BYTES_MAX = 256 * 1024;
const SALT_BYTES = 32;

const HEADER = z.strictObject({
  format: z.literal(FORMAT),
  key: z.enum(['file', 'passphrase']),
  salt: z.string().regex(/^[\w-]{43}$/),
});

/** Only names that cannot lead out of the folder they are restored into. */
const NAME = z.string().regex(/^[a-z][a-z0-9-]{0,40}\.[a-z]{1,8}$/);

const MANIFEST = z.strictObject({
  version: z.string().max(40),
  createdAt: z.iso.datetime(),
  issuer: z.string().max(512),
  ledger: z.strictObject({
    origin: z.string().max(256),
    size: z.int().min(0),
    root: z.string().max(64),
    /** By which it signs, as its auditors keep it; backups of before have none. */
    key: z.string().max(512).optional(),
  }),
  files: z
    .array(z.strictObject({ name: NAME, bytes: z.int().min(0), sm3: z.string().regex(/^[0-9a-f]{64}$/) }))
    .min(1)
    .max(8),
});

/** What an archive says of itself, once it is open: when it was made, how far the ledger had come, and its files with their SM3. */
export type Manifest = z.infer<typeof MANIFEST>;

const secretOf = (key: ArchiveKey, salt: string): Buffer =>
  'bytes' in key ? key.bytes : keyOfPassphrase(key.passphrase, Buffer.from(salt, 'base64url'));

/** Length and SM3 of a file. */
export async function digestOf(path: string): Promise<{ readonly bytes: number; readonly sm3: string }> {
  const digest = sm3Stream();
  for await (const chunk of createReadStream(path)) digest.update(chunk as Buffer);
  return { bytes: (await stat(path)).size, sm3: digest.hex() };
}

/** Writes manifest and files, in the order of the manifest, as one sealed file that only its owner may read. */
export async function writeArchive(
  to: string,
  key: ArchiveKey,
  manifest: Manifest,
  pathOf: (name: string) => string,
): Promise<void> {
  const salt = randomSecret(SALT_BYTES).toString('base64url');
  const header = JSON.stringify({ format: FORMAT, key: 'bytes' in key ? 'file' : 'passphrase', salt });
  const sealer = createStreamSealer(secretOf(key, salt), header);
  const plain = async function* (): AsyncGenerator<Buffer> {
    const text = Buffer.from(JSON.stringify(manifest), 'utf8');
    yield Buffer.concat([lengthBefore(text), text]);
    for (const { name } of manifest.files) {
      for await (const chunk of createReadStream(pathOf(name), { highWaterMark: PIECE_BYTES })) yield chunk as Buffer;
    }
  };
  const sealed = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from(`${header}\n`, 'utf8');
    let number = 0;
    let held: Buffer | undefined;
    for await (const piece of inPieces(plain())) {
      if (held !== undefined) yield frame(sealer.seal(held, { number: number++, isLast: false }), false);
      held = piece;
    }
    yield frame(sealer.seal(held ?? Buffer.alloc(0), { number, isLast: true }), true);
  };
  await pipeline(sealed, createWriteStream(to, { flags: 'wx', mode: 0o600 }));
  const file = await open(to, 'r+');
  await file.sync();
  await file.close();
}

/**
 * Reads an archive to its end. `take` gets each file's bytes in turn; what it was given is right only when this resolves, for lengths and
 * SM3 are compared then. Throws `ArchiveDamaged`.
 */
export async function readArchive(
  from: string,
  key: ArchiveKey,
  take: (name: string, bytes: Buffer) => Promise<void>,
): Promise<Manifest> {
  const pieces = opened(from, key);
  const first = await pieces.next();
  if (first.done) throw new ArchiveDamaged('The archive is empty.');
  const { manifest, rest } = manifestIn(first.value);
  let waiting = rest;
  for (const { name, bytes, sm3 } of manifest.files) {
    const digest = sm3Stream();
    let left = bytes;
    while (left > 0) {
      if (waiting.length === 0) {
        const next = await pieces.next();
        if (next.done) throw new ArchiveDamaged(`${name} is cut off.`);
        waiting = next.value;
      }
      const part = waiting.subarray(0, left);
      waiting = waiting.subarray(part.length);
      left -= part.length;
      digest.update(part);
      await take(name, part);
    }
    if (digest.hex() !== sm3) throw new ArchiveDamaged(`${name} is not what the archive says it is.`);
  }
  if (waiting.length > 0 || !(await pieces.next()).done) throw new ArchiveDamaged('There is more than it says.');
  return manifest;
}

function manifestIn(piece: Buffer): { readonly manifest: Manifest; readonly rest: Buffer } {
  const length = piece.length < LENGTH_BYTES ? 0 : piece.readUInt32BE(0);
  const end = LENGTH_BYTES + length;
  if (length === 0 || length > MANIFEST_BYTES_MAX || piece.length < end)
    throw new ArchiveDamaged('It has no contents.');
  const parsed = MANIFEST.safeParse(JSON.parse(piece.subarray(LENGTH_BYTES, end).toString('utf8')));
  if (!parsed.success) throw new ArchiveDamaged('Its contents are of a form this version does not know.');
  return { manifest: parsed.data, rest: piece.subarray(end) };
}

async function* opened(from: string, key: ArchiveKey): AsyncGenerator<Buffer, void> {
  const file = await open(from, 'r');
  try {
    const exactly = async (length: number): Promise<Buffer> => {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length);
      if (bytesRead < length) throw new ArchiveDamaged('The archive is cut off.');
      return buffer;
    };
    const header = await headerLine(exactly);
    const parsed = HEADER.safeParse(header.parsed);
    if (!parsed.success) throw new ArchiveDamaged('This is no backup of a form this version knows.');
    if ((parsed.data.key === 'file') !== 'bytes' in key) {
      throw new ArchiveDamaged(`It was sealed with a ${parsed.data.key === 'file' ? 'key file' : 'passphrase'}.`);
    }
    const sealer = createStreamSealer(secretOf(key, parsed.data.salt), header.text);
    for (let number = 0; ; number += 1) {
      const head = await exactly(LENGTH_BYTES + 1);
      const length = head.readUInt32BE(0);
      const isLast = head[LENGTH_BYTES] === 1;
      if (length > SEALED_BYTES_MAX) throw new ArchiveDamaged('The archive is damaged.');
      const piece = sealer.open(await exactly(length), { number, isLast });
      if (piece === undefined) {
        const cause = number === 0 ? 'The key is another one, or the archive was altered.' : 'The archive was altered.';
        throw new ArchiveDamaged(cause);
      }
      yield piece;
      if (!isLast) continue;
      const { bytesRead } = await file.read(Buffer.alloc(1), 0, 1);
      if (bytesRead > 0) throw new ArchiveDamaged('Something was added to the archive.');
      return;
    }
  } finally {
    await file.close();
  }
}

async function headerLine(
  exactly: (length: number) => Promise<Buffer>,
): Promise<{ readonly text: string; readonly parsed: unknown }> {
  let text = '';
  while (text.length < HEADER_BYTES_MAX) {
    const character = (await exactly(1)).toString('latin1');
    if (character === '\n') break;
    text += character;
  }
  try {
    return { text, parsed: JSON.parse(text) };
  } catch {
    throw new ArchiveDamaged('This is no backup.');
  }
}

async function* inPieces(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    waiting.push(chunk);
    bytes += chunk.length;
    if (bytes < PIECE_BYTES) continue;
    const whole = Buffer.concat(waiting);
    let at = 0;
    for (; whole.length - at >= PIECE_BYTES; at += PIECE_BYTES) yield whole.subarray(at, at + PIECE_BYTES);
    waiting = [whole.subarray(at)];
    bytes = whole.length - at;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}

function lengthBefore(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(bytes.length);
  return length;
}

const frame = (sealed: Buffer, isLast: boolean): Buffer =>
  Buffer.concat([lengthBefore(sealed), Uint8Array.of(isLast ? 1 : 0), sealed]);
