import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { type ConfigFault, contradictions } from './relations.ts';
import {
  type Config,
  type ConfigOverrides,
  configSchema,
  environmentName,
  PROFILES,
  SETTINGS,
  type Setting,
} from './schema.ts';

export type LoadOutcome =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] };

export type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadInput {
  readonly env?: Environment;
  readonly overrides?: ConfigOverrides;
}

export type Tree = { [key: string]: unknown };

const FOLDER = new URL('../../config/', import.meta.url);
const FILE_BYTES_MAX = 65_536;
const LIST_SEPARATOR = /\s*,\s*/;
const TREE = z.record(z.string(), z.unknown());

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

/** `over` wins leaf by leaf; a list replaces a list. */
function merge(under: Tree, over: Tree): Tree {
  const merged: Tree = { ...under };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined || key === '__proto__') continue;
    const below = merged[key];
    merged[key] = isTree(below) && isTree(value) ? merge(below, value) : value;
  }
  return merged;
}

function plant(tree: Tree, [head, ...rest]: readonly string[], value: unknown): Tree {
  if (head === undefined) return tree;
  const below = tree[head];
  return { ...tree, [head]: rest.length === 0 ? value : plant(isTree(below) ? below : {}, rest, value) };
}

const cause = (error: unknown): string => (error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '');

/** The text of a small file, or the reason why there is none. */
function readSmall(file: string | URL): { readonly text: string } | { readonly reason: string } {
  try {
    const found = statSync(file);
    if (!found.isFile()) return { reason: 'is not a file' };
    if (found.size > FILE_BYTES_MAX) return { reason: `is larger than ${FILE_BYTES_MAX} bytes` };
    return { text: readFileSync(file, 'utf8') };
  } catch (error) {
    return { reason: `cannot be read${cause(error)}` };
  }
}

function readTree(file: string | URL, path: string, faults: ConfigFault[]): Tree {
  const read = readSmall(file);
  if ('reason' in read) {
    faults.push({ path, reason: `the file ${read.reason}` });
    return {};
  }
  try {
    return TREE.parse(JSON.parse(read.text));
  } catch {
    // The parser's own message quotes the file, and the file may hold secrets.
    faults.push({ path, reason: 'the file is not a JSON object' });
    return {};
  }
}

/** The settings of one file in config/, as they stand there. A file of ours that cannot be read yields no settings. */
export const shippedSettings = (name: 'default' | 'demo' | 'test' | 'policy-mlps3'): Tree =>
  readTree(new URL(`${name}.json`, FOLDER), name, []);

/** Turns the text of a variable into what the schema expects; what cannot be turned stays text and fails the schema. */
function fromText(schema: z.ZodType, text: string): unknown {
  if (schema instanceof z.ZodNumber) return /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : text;
  if (schema instanceof z.ZodUnion) return /^\d{1,15}$/.test(text.trim()) ? Number(text) : text.trim();
  if (schema instanceof z.ZodBoolean) return text === 'true' ? true : text === 'false' ? false : text;
  if (schema instanceof z.ZodArray) {
    const element = schema.element;
    if (text.trim() === '' || !(element instanceof z.ZodType)) return [];
    return text
      .trim()
      .split(LIST_SEPARATOR)
      .map((item) => fromText(element, item));
  }
  return text;
}

function readVariable(
  setting: Setting,
  env: Readonly<Record<string, string | undefined>>,
  faults: ConfigFault[],
): string | undefined {
  const name = environmentName(setting.path);
  const direct = env[name];
  const file = env[`${name}_FILE`];
  if (file === undefined) return direct;
  if (direct !== undefined) {
    faults.push({ path: name, reason: `is set together with ${name}_FILE; keep one of them` });
    return undefined;
  }
  const read = readSmall(file);
  if ('text' in read) return read.text.trim();
  faults.push({ path: `${name}_FILE`, reason: `the file it names ${read.reason}` });
  return undefined;
}

/** The operator's own file of settings, where one is named, and whether its seal is demanded (config-doors.ts). */
export function configFileOf(env: Environment = process.env): {
  readonly file: string | undefined;
  readonly needsSeal: boolean;
} {
  const { TONGBAN_CONFIG: file, TONGBAN_CONFIG_SEAL: seal } = env;
  return { file: file === '' ? undefined : file, needsSeal: seal === 'required' };
}

/** Unknown names are faults: a misspelt limit must not leave the default in force unnoticed. */
function fromEnvironment(env: Readonly<Record<string, string | undefined>>, faults: ConfigFault[]): Tree {
  let tree: Tree = {};
  const known = new Set(['TONGBAN_CONFIG', 'TONGBAN_CONFIG_SEAL']);
  for (const setting of SETTINGS) {
    const name = environmentName(setting.path);
    known.add(name).add(`${name}_FILE`);
    const text = readVariable(setting, env, faults);
    if (text !== undefined) tree = plant(tree, setting.path, fromText(setting.schema, text));
  }
  if (!['', 'required', undefined].includes(env.TONGBAN_CONFIG_SEAL))
    faults.push({ path: 'TONGBAN_CONFIG_SEAL', reason: 'must be required, or be left out' });
  for (const name of Object.keys(env).sort()) {
    if (name.startsWith('TONGBAN_') && !known.has(name))
      faults.push({ path: name, reason: 'is not a setting; see docs/configuration.md' });
  }
  return tree;
}

function faultsOf(error: z.ZodError): readonly ConfigFault[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code !== 'unrecognized_keys') return [{ path: path.join('.'), reason: issue.message }];
    return issue.keys.map((key) => ({
      path: [...path, key].join('.'),
      reason: 'is not a setting; see docs/configuration.md',
    }));
  });
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const child of Object.values(value)) freeze(child);
  return Object.freeze(value);
}

/**
 * The configuration: config/default.json, over it config/policy-mlps3.json where that is the policy, config/<profile>.json, the file TONGBAN_CONFIG names, the environment, and
 * `overrides`. Promises all faults at once, none of which holds a value. Secrets that are not configured are empty strings
 * (see `completeSecrets`); `issuer` is filled in and `dataDir` absolute.
 */
export function loadConfig({ env = process.env, overrides = {} }: LoadInput = {}): LoadOutcome {
  const faults: ConfigFault[] = [];
  const file = env.TONGBAN_CONFIG;
  const given = merge(
    merge(
      file === undefined || file === '' ? {} : readTree(file, 'TONGBAN_CONFIG', faults),
      fromEnvironment(env, faults),
    ),
    overrides as Tree,
  );
  let base = readTree(new URL('default.json', FOLDER), 'config/default.json', faults);
  if ((given.policy ?? base.policy) === 'mlps3')
    base = merge(base, readTree(new URL('policy-mlps3.json', FOLDER), 'config/policy-mlps3.json', faults));
  const profile = PROFILES.find((name) => name === (given.profile ?? base.profile));
  // Production has no file of its own: the defaults are what production needs.
  if (profile === 'demo' || profile === 'test') {
    base = merge(base, readTree(new URL(`${profile}.json`, FOLDER), `config/${profile}.json`, faults));
  }
  const tree = merge(base, given);
  // Once a start: building a faster parser for a hundred objects takes longer than it could ever save.
  const parsed = configSchema.safeParse(tree, { jitless: true });
  if (!parsed.success) faults.push(...faultsOf(parsed.error));
  faults.push(...contradictions(tree as Config, faults));
  if (!parsed.success || faults.length > 0) return { ok: false, faults };
  const { issuer, port, dataDir } = parsed.data;
  const config: Config = {
    ...parsed.data,
    issuer: issuer === '' ? `http://localhost:${port}` : issuer,
    dataDir: resolve(dataDir),
  };
  return { ok: true, config: freeze(config) };
}
