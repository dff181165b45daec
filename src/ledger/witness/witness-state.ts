import { type FileHandle, mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SM2_ORDER, wholeNumber } from '../../crypto/signer.ts';
import { createSm2Verifier, sm2PublicKey } from '../../crypto/sm2-software-signer.ts';
import { randomSecret, randomToken } from '../../shared/random.ts';
import { type Checkpoint, encodeVerifierKey, verifyCosignature } from '../checkpoints/checkpoint.ts';

/** What a witness signs with, under which name. One key for each witness, never shared (L6). */
export interface WitnessKey {
  readonly name: string;
  readonly privateKeyHex: string;
}

/** A checkpoint this witness has cosigned. */
export interface HeldCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly note: string;
  /** The time in our cosignature. */
  readonly unixSeconds: number;
}

/** The folder cannot be what this witness left: one sentence for whoever runs it. Nothing in it is repaired. */
export class WitnessStateDamaged extends Error {
  override readonly name = 'WitnessStateDamaged';
}

const KEY_FILE = 'witness.json';
const POINTER = 'latest';
const ALARM = 'ALARM';
const ALARM_BYTES_MAX = 1024 * 1024;
const PRIVATE = 0o600;
const keyFile = z.strictObject({
  format: z.literal(1),
  name: z.string().min(1).max(128),
  privateKey: z.string().regex(/^[0-9a-f]{64}$/),
});

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function synced(file: string, flags: string, write: (handle: FileHandle) => Promise<unknown>): Promise<void> {
  const handle = await open(file, flags, PRIVATE);
  try {
    await write(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The folder of one witness (mode 0700): its key, a file for each size it has cosigned, which is the latest, and its alarms. */
export class WitnessState {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The key; undefined before the first run. Throws `WitnessStateDamaged` when the file is not as we wrote it. */
  async key(): Promise<WitnessKey | undefined> {
    const text = await readIfThere(join(this.#folder, KEY_FILE));
    if (text === undefined) return undefined;
    try {
      const { name, privateKey } = keyFile.parse(JSON.parse(text));
      sm2PublicKey(privateKey);
      return { name, privateKeyHex: privateKey };
    } catch {
      // The message of the parser could quote the key.
      throw new WitnessStateDamaged(
        `${KEY_FILE} in ${this.#folder} is damaged. Restore it, or begin with an empty folder.`,
      );
    }
  }

  /** Makes the key of a new witness and keeps it in a file that its owner alone can read. */
  async createKey(name: string): Promise<WitnessKey> {
    const privateKeyHex = newPrivateKeyHex();
    encodeVerifierKey(name, 'cosignature-sm2/v1', sm2PublicKey(privateKeyHex));
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await this.#place(KEY_FILE, `${JSON.stringify({ format: 1, name, privateKey: privateKeyHex }, null, 2)}\n`);
    return { name, privateKeyHex };
  }

  /**
   * The checkpoint that was cosigned last; undefined when there is none yet. Throws `WitnessStateDamaged` when it does not bear
   * our cosignature, or when the pointer is gone while notes are there: a witness that forgot would accept anything.
   */
  async held({ name, privateKeyHex }: WitnessKey): Promise<HeldCheckpoint | undefined> {
    const size = (await readIfThere(join(this.#folder, POINTER)))?.trim();
    if (size === undefined) {
      if ((await readdir(this.#folder)).some((file) => file.endsWith('.note'))) {
        throw new WitnessStateDamaged(`${this.#folder} holds checkpoints and does not say which is the latest.`);
      }
      return undefined;
    }
    const note = /^\d{1,16}$/.test(size) ? await readIfThere(join(this.#folder, `${size}.note`)) : undefined;
    const verifier = { ...createSm2Verifier(sm2PublicKey(privateKeyHex)), name };
    const cosigned = note === undefined ? undefined : verifyCosignature(note, verifier);
    if (note === undefined || cosigned?.checkpoint.size !== Number(size)) {
      throw new WitnessStateDamaged(`The latest checkpoint in ${this.#folder} does not bear this witness's signature.`);
    }
    return { note, ...cosigned };
  }

  /** Keeps a cosigned note. Resolves when note and pointer would survive a power cut. */
  async keep(size: number, note: string): Promise<void> {
    await this.#place(`${size}.note`, note);
    await this.#place(POINTER, `${size}\n`);
  }

  /** Adds to the file ALARM, which only people remove. Past 1 MiB it holds evidence enough, and nothing is added. */
  async alarm(text: string): Promise<void> {
    const file = join(this.#folder, ALARM);
    await synced(file, 'a', async (handle) => {
      if ((await handle.stat()).size < ALARM_BYTES_MAX) await handle.writeFile(text);
    });
    await this.#syncFolder();
  }

  /** Whole or not at all: written beside, synced, renamed. */
  async #place(name: string, text: string): Promise<void> {
    const draft = join(this.#folder, `${name}.${randomToken(8)}.draft`);
    await synced(draft, 'wx', (handle) => handle.writeFile(text));
    await rename(draft, join(this.#folder, name));
    await this.#syncFolder();
  }

  #syncFolder(): Promise<void> {
    return synced(this.#folder, 'r', async () => {});
  }
}

/** A private key from 1 to n - 2, as 64 hexadecimal digits (GB/T 32918.1 6.1). */
function newPrivateKeyHex(): string {
  for (;;) {
    const bytes = randomSecret(32);
    const number = wholeNumber(bytes);
    if (number >= 1n && number <= SM2_ORDER - 2n) return bytes.toString('hex');
  }
}
