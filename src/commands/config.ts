import { loadConfig } from '../config/load.ts';
import { checkConfig } from '../config/prepare.ts';
import { renderReference, writeReference } from '../config/reference.ts';
import { type Config, SETTINGS } from '../config/schema.ts';
import { configRefusal, sealConfigFile } from '../config-doors.ts';

const EXIT_USAGE = 2;

export const USAGE = `Usage: tongban config <command>
  show                 print the settings in force, without secrets
  check                say whether the server would start with them; writes nothing
  seal                 seal the file TONGBAN_CONFIG names, as it is now
  reference [--write]  print the reference of all settings, or write docs/configuration.md
`;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function complain(sentences: readonly string[]): void {
  for (const sentence of sentences) process.stderr.write(`${sentence}\n`);
}

const secretPaths: ReadonlySet<string> = new Set(
  SETTINGS.filter(({ secret }) => secret).map(({ path }) => path.join('.')),
);

/** The same tree with each secret replaced by whether there is one; not even its length shows. */
function masked(value: unknown, path: readonly string[] = []): unknown {
  if (secretPaths.has(path.join('.'))) {
    if (typeof value === 'string' || Array.isArray(value))
      return value.length > 0 ? '(configured)' : '(not configured)';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, masked(child, [...path, key])]));
}

/** The settings as text that may be shown to anybody who helps: no secret and no store address in it. */
export const showConfig = (config: Config): string => JSON.stringify(masked(config), null, 2);

function show(): number {
  const loaded = loadConfig();
  if (loaded.ok) {
    say(showConfig(loaded.config));
    return 0;
  }
  // What keeps the settings from being shown is what keeps the server from starting: `check` has the sentences.
  return check();
}

function check(): number {
  const outcome = checkConfig();
  if (!outcome.ok) {
    complain(outcome.sentences);
    return outcome.exitCode;
  }
  const refusal = configRefusal(outcome.config);
  if (refusal !== undefined) {
    complain([refusal]);
    return EXIT_USAGE;
  }
  complain(outcome.warnings);
  say(`The configuration is in order for the profile ${outcome.config.profile} at ${outcome.config.issuer}.`);
  return 0;
}

/** Says that the file was looked at: from here on the server starts with it as it is now and with no other. */
function seal(): number {
  const outcome = checkConfig();
  if (!outcome.ok) {
    complain(outcome.sentences);
    return outcome.exitCode;
  }
  if (outcome.config.secrets.encryptionKey === '') {
    complain(['secrets.encryptionKey is not there yet: start once, or configure it, and seal then.']);
    return 1;
  }
  const path = sealConfigFile(outcome.config);
  if (path === undefined) {
    complain(['TONGBAN_CONFIG names no file: settings of the environment are told of at the start, and not sealed.']);
    return 1;
  }
  say(`Sealed: ${path}`);
  return 0;
}

function reference(write: boolean): number {
  if (write) writeReference();
  else process.stdout.write(renderReference());
  return 0;
}

/** `tongban config ...`. Resolves with the exit code: 0 in order, 1 folder unusable, 2 wrong configuration or usage. */
export async function run(args: readonly string[]): Promise<number> {
  switch (args.join(' ')) {
    case 'show':
      return show();
    case 'check':
      return check();
    case 'seal':
      return seal();
    case 'reference':
      return reference(false);
    case 'reference --write':
      return reference(true);
    default:
      complain([USAGE]);
      return EXIT_USAGE;
  }
}
