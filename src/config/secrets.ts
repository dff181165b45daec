import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { randomSecret, randomToken } from '../shared/random.ts';
import { type Config, configSchema, PROFILES, type Profile } from './schema.ts';

export type Secrets = Config['secrets'];
/** Of those that are generated where they are not configured. */
export type SecretName = Exclude<keyof Secrets, 'otherEncryptionKeys'>;

/** Where each secret comes from, and for which profile the generated ones were made. */
export interface SecretOrigins {
  readonly origin: Readonly<Record<SecretName, 'configured' | 'generated'>>;
  readonly generatedFor: Profile | undefined;
}

export type SecretsOutcome =
  | { readonly ok: true; readonly secrets: Secrets; readonly origins: SecretOrigins }
  | { readonly ok: false; readonly kind: 'inaccessible' | 'damaged'; readonly reason: string };

const SECRET_BYTES = 32;

const FILE = z.strictObject({
  format: z.literal(1),
  generatedFor: z.enum(PROFILES),
  secrets: configSchema.shape.secrets.omit({ otherEncryptionKeys: true }).extend({
    cookieKeys: configSchema.shape.secrets.shape.cookieKeys.min(1),
  }),
});
type SecretsFile = z.infer<typeof FILE>;
type ReadOutcome = SecretsFile | 'missing' | Exclude<SecretsOutcome, { readonly ok: true }>;

export const secretsPath = (dataDir: string): string => join(dataDir, 'secrets.json');

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : 'unknown');

/** Where a key service opens the master key, none is generated: it would lie beside the data and begin a new store. */
const isFetched = ({ keyService }: Config): boolean => keyService.keyFiles.length > 0;

/** Those a house cannot be opened without that are neither configured nor generated yet. */
export const missingSecrets = (
  config: Config,
  { otherEncryptionKeys: _, encryptionKey, ...secrets }: Secrets,
): readonly string[] =>
  Object.entries({ ...(isFetched(config) ? {} : { encryptionKey }), ...secrets })
    .filter(([, secret]) => !isConfigured(secret))
    .map(([name]) => name);

const isConfigured = (value: string | readonly string[]): boolean => value.length > 0;

function read(path: string): ReadOutcome {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'missing';
    return { ok: false, kind: 'inaccessible', reason: `${path} cannot be read (${codeOf(error)}).` };
  }
  try {
    const file = FILE.parse(JSON.parse(text));
    if (Object.values(file.secrets).every(isConfigured)) return file;
  } catch {
    // Falls through: neither the parser's nor the schema's message may be shown, they can quote the file.
  }
  // New secrets would make every sealed column and every password unreadable for good, so nothing is regenerated here.
  return { ok: false, kind: 'damaged', reason: `${path} is damaged. Restore it from a backup; it is never made anew.` };
}

const generate = (): string => randomSecret(SECRET_BYTES).toString('base64url');

function freshFile(profile: Profile): SecretsFile {
  const secrets = {
    encryptionKey: generate(),
    indexKey: generate(),
    pepper: generate(),
    pairwiseSalt: generate(),
    cookieKeys: [generate()],
  };
  return { format: 1, generatedFor: profile, secrets };
}

function sync(path: string, flags: 'r' | 'wx', text?: string): void {
  const descriptor = openSync(path, flags, 0o600);
  try {
    if (text !== undefined) writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Puts the file in place whole and durable, or leaves the one that is there. A link instead of a rename, because a rename
 * would replace the file of a process that was faster and has already sealed something with it.
 */
function place(dataDir: string, file: SecretsFile): void {
  const path = secretsPath(dataDir);
  const draft = `${path}.${randomToken(12)}.draft`;
  try {
    sync(draft, 'wx', `${JSON.stringify(file, null, 2)}\n`);
    linkSync(draft, path);
    sync(dataDir, 'r');
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function originsOf(config: Config, generatedFor: Profile): SecretOrigins {
  const from = (name: SecretName) => (isConfigured(config.secrets[name]) ? 'configured' : 'generated');
  const origin = {
    encryptionKey: isFetched(config) ? 'configured' : from('encryptionKey'),
    indexKey: from('indexKey'),
    pepper: from('pepper'),
    pairwiseSalt: from('pairwiseSalt'),
    cookieKeys: from('cookieKeys'),
  } as const;
  const generated = Object.values(origin).includes('generated');
  return { origin, generatedFor: generated ? generatedFor : undefined };
}

function combine(config: Config, file: SecretsFile): SecretsOutcome {
  const { secrets } = config;
  return {
    ok: true,
    origins: originsOf(config, file.generatedFor),
    secrets: Object.freeze({
      encryptionKey: secrets.encryptionKey || (isFetched(config) ? '' : file.secrets.encryptionKey),
      otherEncryptionKeys: secrets.otherEncryptionKeys,
      indexKey: secrets.indexKey || file.secrets.indexKey,
      pepper: secrets.pepper || file.secrets.pepper,
      pairwiseSalt: secrets.pairwiseSalt || file.secrets.pairwiseSalt,
      cookieKeys: Object.freeze(secrets.cookieKeys.length > 0 ? secrets.cookieKeys : file.secrets.cookieKeys),
    }),
  };
}

/** The secrets as far as they exist, without writing anything. Those still to be generated are empty. */
export function findSecrets(config: Config): SecretsOutcome {
  const origins = originsOf(config, config.profile);
  const asConfigured = { ok: true, secrets: config.secrets, origins } as const;
  if (origins.generatedFor === undefined) return asConfigured;
  const file = read(secretsPath(config.dataDir));
  if (file === 'missing') return asConfigured;
  return 'ok' in file ? file : combine(config, file);
}

/**
 * The complete secrets. Configured ones win; for the others `<dataDir>/secrets.json` (mode 0600) is made once, and two
 * processes that start together end with the same. Nothing is written when everything is configured.
 */
export function completeSecrets(config: Config): SecretsOutcome {
  const found = findSecrets(config);
  if (!found.ok || missingSecrets(config, found.secrets).length === 0) return found;
  try {
    place(config.dataDir, freshFile(config.profile));
  } catch (error) {
    return { ok: false, kind: 'inaccessible', reason: `${config.dataDir} cannot be written (${codeOf(error)}).` };
  }
  return findSecrets(config);
}
