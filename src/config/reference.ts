import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { shippedSettings, type Tree } from './load.ts';
import { environmentName, SETTINGS, type Setting } from './schema.ts';

const DOCUMENT = new URL('../../docs/configuration.md', import.meta.url);

export const REGENERATE_COMMAND = 'npm run -s tongban -- config reference --write';

const INTRODUCTION = `# Configuration reference

<!-- Rendered from src/config; do not edit. Regenerate: ${REGENERATE_COMMAND} -->

Every setting has a default in \`config/default.json\`. Over the defaults come, each winning over the one before:

1. \`config/policy-mlps3.json\`, when \`policy\` is \`mlps3\`: [what the policies set](policies.md).
2. \`config/demo.json\` or \`config/test.json\`, when that is the profile. Production has no file: the defaults are made for it.
3. The JSON file that \`TONGBAN_CONFIG\` names. \`config/production.example.json\` is one to begin with. It may [be sealed](operations.md#a-sealed-configuration); \`TONGBAN_CONFIG_SEAL=required\` demands it.
4. The environment. The name follows from the key: \`session.idleSeconds\` is \`TONGBAN_SESSION_IDLE_SECONDS\`; the section
   \`secrets\` is left out. With \`_FILE\` at the end of the name the value is read from that file, without the blanks around it.
   Lists are separated by commas.

A key or a \`TONGBAN_\` variable that is not listed here stops the start, and so does a value outside its limits; all mistakes are
reported together. \`tongban config check\` says what a start would say, and \`tongban config show\` prints what is in force without
its secrets. Exit code 2 means a mistake in the configuration, 1 a data folder that cannot be used.

Secrets that are not configured are generated once into \`secrets.json\` in the data folder, readable by the server's user alone.
Without that file sealed data and passwords are lost: it belongs in the backup, apart from the database.
Production refuses to start with sample secrets, with secrets generated for another profile, or without a configured encryption key.
`;

const UNITS: readonly (readonly [ending: RegExp, unit: string])[] = [
  [/Ms$/, 'milliseconds'],
  [/Seconds(Max)?$/, 'seconds'],
  [/Days$/, 'days'],
  [/Kib$/, 'KiB'],
  [/Bytes(Max)?$/, 'bytes'],
  [/Length$/, 'characters'],
];

interface JsonType {
  readonly const?: string;
  readonly anyOf?: readonly JsonType[];
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly items?: JsonType;
}

function describe({ type, minimum, maximum, items, ...rest }: JsonType): string {
  if (rest.enum !== undefined) return rest.enum.map((value) => `\`${value}\``).join(', ');
  if (rest.const !== undefined) return `\`${rest.const}\``;
  if (rest.anyOf !== undefined) return rest.anyOf.map(describe).join(' or ');
  if (type === 'integer') return `${minimum} to ${maximum}`;
  if (type === 'boolean') return '`true`, `false`';
  if (type === 'array' && items !== undefined) return `list, ${rest.maxItems} at most: ${describe(items)}`;
  return rest.maxLength === undefined ? 'text' : `text, ${rest.maxLength} characters at most`;
}

export function limitsOf({ path, schema }: Setting): string {
  const unit = UNITS.find(([ending]) => ending.test(path.at(-1) ?? ''))?.[1];
  const limits = describe(z.toJSONSchema(schema) as JsonType);
  return unit === undefined ? limits : `${limits} ${unit}`;
}

export const valueAt = (tree: Tree, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Tree | undefined)?.[key], tree);

function shown(setting: Setting, tree: Tree): string {
  const value = valueAt(tree, setting.path);
  if (value === undefined) return '';
  const empty = value === '' || (Array.isArray(value) && value.length === 0);
  if (empty) return setting.path[0] === 'secrets' ? 'generated' : 'empty';
  return setting.secret ? 'a sample' : `\`${Array.isArray(value) ? value.join(',') : String(value)}\``;
}

const row = (...cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

const table = (head: readonly string[], rows: readonly string[]): string =>
  [row(...head), row(...head.map(() => '-')), ...rows].join('\n');

function section(title: string, settings: readonly Setting[], defaults: Tree): string {
  const rows = settings.map((setting) =>
    row(
      `\`${setting.path.join('.')}\``,
      `\`${environmentName(setting.path)}\``,
      limitsOf(setting),
      shown(setting, defaults),
      setting.secret ? 'yes' : '',
      setting.description,
    ),
  );
  return `## ${title}\n\n${table(['Key', 'Environment', 'Values', 'Default', 'Secret', 'Meaning'], rows)}\n`;
}

function profiles(defaults: Tree): string {
  const demo = shippedSettings('demo');
  const test = shippedSettings('test');
  const rows = SETTINGS.filter(
    ({ path }) => valueAt(demo, path) !== undefined || valueAt(test, path) !== undefined,
  ).map((setting) =>
    row(
      `\`${setting.path.join('.')}\``,
      shown(setting, defaults),
      shown(setting, demo) || shown(setting, defaults),
      shown(setting, test) || shown(setting, defaults),
    ),
  );
  return `## What the profiles change\n\n${table(['Key', 'production', 'demo', 'test'], rows)}\n`;
}

/** The text of docs/configuration.md, rendered from the schema and the files in config/. */
export function renderReference(): string {
  const defaults = shippedSettings('default');
  const groups = Map.groupBy(SETTINGS, ({ path }) => (path.length === 1 ? 'General' : (path[0] ?? '')));
  const sections = [...groups].map(([title, settings]) => section(title, settings, defaults));
  return [INTRODUCTION, ...sections, profiles(defaults)].join('\n');
}

/** The reference as it is written down. */
export const readReference = (): string => readFileSync(DOCUMENT, 'utf8');

export const writeReference = (): void => writeFileSync(DOCUMENT, renderReference());
