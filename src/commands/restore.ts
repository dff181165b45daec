import { chmod, link, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type House, openHouse } from '../app.ts';
import type { PrepareOutcome } from '../config/prepare.ts';
import { beginRestoreEpoch } from '../oidc/restore-epoch.ts';
import { ArchiveDamaged, type Manifest, readArchive } from './archive.ts';
import { type ArchiveContext, KEY_OPTIONS, keyFrom } from './archive-words.ts';
import { DATABASE_NAME } from './backup.ts';
import { exists } from './private-file.ts';
import { againstWitness, readTestimony } from './restore-witness.ts';

export interface RestoreContext extends ArchiveContext {
  readonly operator: string;
  /** The configuration in force, for a data folder of its own where one is named. */
  readonly prepare: (dataDir?: string) => PrepareOutcome;
}

/** 0 done, 1 refused (a sentence on stderr), 2 not understood (the usage on stderr). */
export type ExitCode = 0 | 1 | 2;

export const USAGE = `Usage:
  tongban restore FILE --to FOLDER (--key-file KEY | --passphrase-stdin) [--witness NOTE --witness-key TEXT|FILE]
      opens a backup into a new data folder and ends every session and token of before
  tongban restore FILE --check (--key-file KEY | --passphrase-stdin) [--witness NOTE --witness-key TEXT|FILE]
      reads a backup to its end and compares it with what it says, and with the witness's last note; changes nothing
  tongban restore epoch
      ends every session and token in the configured store, after PostgreSQL itself was brought back
`;

const OPTIONS = {
  ...KEY_OPTIONS,
  to: { type: 'string' },
  check: { type: 'boolean' },
  witness: { type: 'string' },
  'witness-key': { type: 'string' },
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
    const { witness, 'witness-key': witnessKey } = words;
    const testimony = witness === undefined ? undefined : await readTestimony(witness, witnessKey!);
    const judge = (manifest: Manifest) => {
      stdout.write(describe(manifest));
      const finding = testimony && againstWitness(manifest, testimony);
      stdout.write(finding?.sentence ?? '');
      return { manifest, missing: finding?.missing };
    };
    if (words.check) {
      judge(await readArchive(from, key, async () => {}));
      return 0;
    }
    const folder = words.to!;
    if (await exists(join(folder, DATABASE_NAME))) throw new ArchiveDamaged(`There is a store in ${folder} already.`);
    const { manifest, missing } = await unpack(from, key, folder, judge);
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
    // A note counts only under a key that the operator trusts.
    if ((values.witness === undefined) !== (values['witness-key'] === undefined)) return undefined;
    return (values.to === undefined) === (values.check === true) ? { from, words: values } : undefined;
  } catch {
    return undefined;
  }
}

/** Every file is whole, compared, judged and on the disk before any bears its name, the store last of all. */
async function unpack<Judged>(
  from: string,
  key: Parameters<typeof readArchive>[1],
  folder: string,
  judge: (manifest: Manifest) => Judged,
): Promise<Judged> {
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
    const judged = judge(manifest);
    for (const file of files.values()) await file.sync();
    const isStore = ({ name }: Manifest['files'][number]): boolean => name === DATABASE_NAME;
    const { files: all } = manifest;
    const names = [...all.filter((file) => !isStore(file)), ...all.filter(isStore)].map(({ name }) => name);
    for (const name of names) await link(partOf(name), join(folder, name));
    return judged;
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
