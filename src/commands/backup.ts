import { copyFile, link, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { House } from '../app.ts';
import { secretsPath } from '../config/secrets.ts';
import { productVersion } from '../monitoring/feeds/feeds.ts';
import { nowMs } from '../shared/clock.ts';
import { copySqlite, newestNoteIn } from '../storage/sqlite-copy.ts';
import { STORE_FILE } from '../store-doors.ts';
import { digestOf, type Manifest, readArchive, writeArchive } from './archive.ts';
import { type ArchiveContext, KEY_OPTIONS, keyFrom, statedIn } from './archive-words.ts';
import { showConfig } from './config.ts';
import { exists } from './private-file.ts';
import { createProgress } from './progress.ts';

export interface BackupContext extends ArchiveContext {
  readonly house: Pick<House, 'config' | 'database' | 'ledger' | 'ledgerKey'>;
}

/** 0 done, 1 refused (a sentence on stderr), 2 not understood (the usage on stderr). */
export type ExitCode = 0 | 1 | 2;

export const USAGE = `Usage:
  tongban backup FILE (--key-file KEY | --passphrase-stdin)
      copies the store, the generated secrets and the ledger's key into one sealed file, beside a running server, and reads it back
`;

export const DATABASE_NAME = STORE_FILE;
export const SECRETS_NAME = 'secrets.json';
export const LEDGER_KEY_NAME = 'ledger-key.pem';
const SETTINGS_NAME = 'settings.json';

/** `tongban backup ...`: for SQLite; PostgreSQL has tools of its own (docs/operations.md). Resolves with the exit code. */
export async function run(args: readonly string[], context: BackupContext): Promise<ExitCode> {
  const { house, stdout, stderr } = context;
  const understood = understand(args);
  if (understood === undefined) {
    stderr.write(USAGE);
    return 2;
  }
  const refuse = (sentence: string): 1 => {
    stderr.write(`${sentence}\n`);
    return 1;
  };
  if (house.config.database.url !== '') return refuse('On PostgreSQL use its base backup and log: docs/operations.md.');
  const { to, words } = understood;
  if (await exists(to)) return refuse(`There is a file ${to}; it was left as it is.`);
  const key = await keyFrom(words, context);
  if (typeof key === 'string') return refuse(key);
  // Beside the archive, where the room for it has to be anyway.
  const folder = await mkdtemp(join(dirname(to), '.tongban-backup-'));
  const part = `${folder}.part`;
  try {
    const pathOf = (name: string): string => join(folder, name);
    const manifest = await gather(context, pathOf);
    await writeArchive(part, key, manifest, pathOf);
    await readArchive(part, key, async () => {});
    // Under its name only when it is whole, and never in place of another file.
    await link(part, to);
    const bytes = (await digestOf(to)).bytes;
    await house.ledger.record({ type: 'server.backed-up', details: { bytes, size: manifest.ledger.size } });
    for (const { name, bytes: length, sm3 } of manifest.files) stdout.write(`${sm3}  ${name}  ${length} bytes\n`);
    stdout.write(
      `${to}: ${bytes} bytes, sealed and read back. The ledger stands at ${manifest.ledger.size} entries.\n`,
    );
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
    await rm(part, { force: true });
  }
}

function understand(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: KEY_OPTIONS, allowPositionals: true });
    const [to, ...more] = positionals;
    return to === undefined || more.length > 0 ? undefined : { to, words: values };
  } catch {
    return undefined;
  }
}

async function gather({ house, stderr }: BackupContext, pathOf: (name: string) => string): Promise<Manifest> {
  const { config, ledgerKey } = house;
  const progress = createProgress(stderr, 'pages');
  await copySqlite(join(config.dataDir, DATABASE_NAME), pathOf(DATABASE_NAME), progress.at);
  progress.end();
  const names = [DATABASE_NAME];
  const take = async (from: string, name: string): Promise<void> => {
    if (from === '' || !(await exists(from))) return;
    await copyFile(from, pathOf(name));
    names.push(name);
  };
  await take(secretsPath(config.dataDir), SECRETS_NAME);
  await take(config.ledger.signingKeyFile, LEDGER_KEY_NAME);
  await writeFile(pathOf(SETTINGS_NAME), `${showConfig(config)}\n`, { mode: 0o600 });
  names.push(SETTINGS_NAME);
  const stated = statedIn(newestNoteIn(pathOf(DATABASE_NAME)) ?? '');
  const files = [];
  for (const name of names) files.push({ name, ...(await digestOf(pathOf(name))) });
  return {
    version: productVersion(),
    createdAt: new Date(nowMs()).toISOString(),
    issuer: config.issuer,
    ledger: {
      origin: stated?.origin ?? ledgerKey.origin,
      size: stated?.size ?? 0,
      root: stated?.root.toString('base64') ?? '',
      key: ledgerKey.verifierKey,
    },
    files,
  };
}
