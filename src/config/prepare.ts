import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type LoadInput, loadConfig } from './load.ts';
import { productionRefusals } from './production.ts';
import { type ConfigFault, warningsOf } from './relations.ts';
import { type Config, environmentName, SETTINGS } from './schema.ts';
import { completeSecrets, findSecrets, type SecretsOutcome, secretsPath } from './secrets.ts';

/** Ready to start, or what to tell the operator: exit code 2 for the configuration, 1 for a folder that cannot be used. */
export type PrepareOutcome =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly exitCode: 1 | 2; readonly sentences: readonly string[] };

type Refusal = Extract<PrepareOutcome, { readonly ok: false }>;

const refuse = (exitCode: 1 | 2, ...sentences: readonly string[]): Refusal => ({ ok: false, exitCode, sentences });

function sentenceOf({ path, reason }: ConfigFault): string {
  const setting = SETTINGS.find(
    ({ path: parts }) => path === parts.join('.') || path.startsWith(`${parts.join('.')}.`),
  );
  const name = setting === undefined ? path : `${path} (${environmentName(setting.path)})`;
  return `${name}: ${reason}.`;
}

const refuseSecrets = ({ kind, reason }: Extract<SecretsOutcome, { readonly ok: false }>): Refusal =>
  refuse(kind === 'damaged' ? 2 : 1, reason);

function openPathsOf(dataDir: string): readonly string[] {
  return [dataDir, secretsPath(dataDir)].filter((path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found !== undefined && (found.mode & 0o077) !== 0;
  });
}

/** Says whether `prepareConfig` would start, and why not, without writing anything. Secrets still to be generated are empty. */
export function checkConfig(input: LoadInput = {}): PrepareOutcome {
  const loaded = loadConfig(input);
  if (!loaded.ok) return refuse(2, ...loaded.faults.map(sentenceOf));
  try {
    const found = findSecrets(loaded.config);
    if (!found.ok) return refuseSecrets(found);
    const config: Config = Object.freeze({ ...loaded.config, secrets: found.secrets });
    const openPaths = openPathsOf(config.dataDir);
    const refusals = productionRefusals(config, { secrets: found.origins, openPaths });
    return refusals.length > 0 ? refuse(2, ...refusals) : { ok: true, config, warnings: warningsOf(config) };
  } catch (error) {
    return unusable(loaded.config.dataDir, error);
  }
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;

/** Node's own recursive mkdir never returns where the file system refuses new folders with ENOENT, as /proc does. */
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
  }
}

function unusable(dataDir: string, error: unknown): Refusal {
  const sentence = 'it must be a folder this user may read and write.';
  return refuse(1, `The data folder ${dataDir} cannot be used (${codeOf(error) ?? 'unknown cause'}): ${sentence}`);
}

/**
 * Loads the configuration, refuses what production must refuse, and only then makes the data folder (0700) and the secrets that
 * are missing. A refused start leaves nothing behind.
 */
export function prepareConfig(input: LoadInput = {}): PrepareOutcome {
  const checked = checkConfig(input);
  if (!checked.ok) return checked;
  const { dataDir } = checked.config;
  try {
    makeFolder(dataDir);
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    return unusable(dataDir, error);
  }
  const completed = completeSecrets(checked.config);
  if (!completed.ok) return refuseSecrets(completed);
  return { ...checked, config: Object.freeze({ ...checked.config, secrets: completed.secrets }) };
}
