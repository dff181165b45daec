import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type House, openHouse } from '../app.ts';
import type { PrepareOutcome } from '../config/prepare.ts';
import { beginRestoreEpoch } from '../oidc/restore-epoch.ts';
import { ArchiveDamaged, type Manifest, readArchive } from './archive.ts';
import { type ArchiveContext, KEY_OPTIONS, keyFrom, statedIn } from './archive-words.ts';
import { DATABASE_NAME } from './backup.ts';
import { exists } from './private-file.ts';

export interface RestoreContext extends ArchiveContext {
  readonly operator: string;
  /** The configuration in force, for a data folder of its own where one is named. */
  readonly prepare: (dataDir?: string) => PrepareOutcome;
}

/** 0 done, 1 refused (a sentence on stderr), 2 not understood (the usage on stderr). */
export type ExitCode = 0 | 1 | 2;

export const USAGE = `Usage:
  tongban restore FILE --to FOLDER (--key-file KEY | --passphrase-stdin) [--witness NOTE]
      opens a backup into a new data folder and ends every session and token of before
  tongban restore FILE --check (--key-file KEY | --passphrase-stdin) [--witness NOTE]
      reads a backup to its end and compares it with what it says, and with the witness's last note; changes nothing
  tongban restore epoch
      ends every session and token in the configured store, after PostgreSQL itself was brought back
`;

const OPTIONS = {
  ...KEY_OPTIONS,
  to: { type: 'string' },
  check: { type: 'boolean' },
  witness: { type: 'string' },
} as const;

/** `tongban restore ...`. No server may run on the folder or store meanwhile. Resolves with the exit code. */
export async function run(args: readonly string[], context: RestoreContext): Promise<ExitCode> {
  const { stdout, stderr } = context;
  const understood = understand(args);
  if (understood === undefined) {
    stderr.write(USAGE);
    return 2;
  }
  try {
    if (understood === 'epoch') return await newEpoch(context);
    const { from, words } = understood;
    const key = await keyFrom(words, context);
    if (typeof key === 'string') throw new ArchiveDamaged(key);
    const witness = words.witness === undefined ? undefined : await readFile(words.witness, 'utf8');
    if (words.check) {
      const manifest = await readArchive(from, key, async () => {});
      stdout.write(describe(manifest));
      stdout.write(againstWitness(manifest, witness).sentence);
      return 0;
    }
    const folder = words.to!;
    if (await exists(join(folder, DATABASE_NAME))) throw new ArchiveDamaged(`There is a store in ${folder} already.`);
    const manifest = await unpack(from, key, folder);
    stdout.write(describe(manifest));
    const { sentence, missing } = againstWitness(manifest, witness);
    stdout.write(sentence);
    const details = {
      backupAt: manifest.createdAt,
      size: manifest.ledger.size,
      ...(missing === undefined ? {} : { missing }),
    };
    return await newEpoch(context, folder, details);
  } catch (error) {
    if (!(error instanceof ArchiveDamaged)) throw error;
    stderr.write(`${error.message}\n`);
    return 1;
  }
}

function understand(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    const [from, ...more] = positionals;
    if (from === undefined || more.length > 0) return undefined;
    if (from === 'epoch') return Object.keys(values).length === 0 ? ('epoch' as const) : undefined;
    return (values.to === undefined) === (values.check === true) ? { from, words: values } : undefined;
  } catch {
    return undefined;
  }
}

/** Every file is whole, compared and on the disk before any bears its name, the store last of all. */
async function unpack(from: string, key: Parameters<typeof readArchive>[1], folder: string): Promise<Manifest> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const files = new Map<string, Awaited<ReturnType<typeof open>>>();
  const partOf = (name: string): string => join(folder, `.${name}.part`);
  try {
    const manifest = await readArchive(from, key, async (name, bytes) => {
      const file = files.get(name) ?? (await open(partOf(name), 'w', 0o600));
      files.set(name, file);
      await file.writeFile(bytes);
    });
    for (const file of files.values()) await file.sync();
    const isStore = ({ name }: Manifest['files'][number]): boolean => name === DATABASE_NAME;
    const { files: all } = manifest;
    const names = [...all.filter((file) => !isStore(file)), ...all.filter(isStore)].map(({ name }) => name);
    for (const name of names) await link(partOf(name), join(folder, name));
    return manifest;
  } finally {
    for (const [name, file] of files) {
      await file.close();
      await rm(partOf(name), { force: true });
    }
  }
}

async function newEpoch(
  { prepare, operator, stdout, stderr }: RestoreContext,
  dataDir?: string,
  details: Readonly<Record<string, string | number>> = {},
): Promise<ExitCode> {
  const prepared = prepare(dataDir);
  if (!prepared.ok) {
    stderr.write(`${prepared.sentences.join('\n')}\n`);
    return prepared.exitCode === 1 ? 1 : 2;
  }
  const house: House = await openHouse(prepared.config, operator);
  try {
    const sessions = await beginRestoreEpoch(house);
    await house.ledger.record({ type: 'server.restored', details: { ...details, sessions } });
    stdout.write(`${sessions} sessions and all that was issued before have ended. The server may be started.\n`);
    return 0;
  } finally {
    await house.close();
  }
}

const describe = ({ createdAt, version, issuer, ledger, files }: Manifest): string =>
  [
    `Backup of ${createdAt}, version ${version}, ${issuer}`,
    ...files.map(({ name, bytes, sm3 }) => `${sm3}  ${name}  ${bytes} bytes`),
    `The ledger stands at ${ledger.size} entries.\n`,
  ].join('\n');

/** How far the ledger of the backup is behind what its witness has cosigned. Pure. */
function againstWitness(
  { ledger }: Manifest,
  note: string | undefined,
): { readonly sentence: string; readonly missing?: number } {
  if (note === undefined) return { sentence: '' };
  const seen = statedIn(note);
  if (seen === undefined || seen.origin !== ledger.origin) {
    throw new ArchiveDamaged('The witness’s note is not one, or of another ledger.');
  }
  if (seen.size === ledger.size && seen.root.toString('base64') !== ledger.root) {
    throw new ArchiveDamaged(
      'The witness has seen another ledger of this size: this backup is not what was shown then.',
    );
  }
  const missing = Math.max(0, seen.size - ledger.size);
  if (missing === 0) return { sentence: 'Everything the witness has seen is in this backup.\n', missing };
  return {
    sentence: `${missing} entries that the witness has seen came after this backup and are not in it.\n`,
    missing,
  };
}
