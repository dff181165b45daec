import type { HouseCommand } from './commands/in-house.ts';
import { Fault } from './shared/fault.ts';
import { visibleText } from './web/visible-text.ts';

/** A command takes its words and resolves with the exit code: 0 done, 1 refused or failed, 2 not understood. */
type Command = (args: readonly string[]) => Promise<number>;

interface Entry {
  readonly means: string;
  readonly load: () => Promise<Command>;
  /** How its words go, for who asks; a command without one answers by itself. */
  readonly usage?: () => Promise<{ readonly USAGE: string }>;
}

/** A command that is one file. */
const byItself = (means: string, file: () => Promise<{ readonly run: Command; readonly USAGE: string }>): Entry => ({
  means,
  load: async () => (await file()).run,
  usage: file,
});

/** A command that works on an open house; its words are found without opening one. */
const inHouse = (means: string, name: HouseCommand, usage: NonNullable<Entry['usage']>): Entry => ({
  means,
  load: async () => async (args) => (await import('./commands/in-house.ts')).runInHouse(name, args),
  usage,
});

const COMMANDS: Readonly<Record<string, Entry>> = {
  serve: byItself('run the server', () => import('./commands/serve.ts')),
  health: byItself('ask a server whether it is ready', () => import('./commands/health.ts')),
  client: inHouse('register and steer portals', 'client', () => import('./commands/client.ts')),
  person: inHouse(
    'add, show, disable or enable natural persons, their documents and what they sign in by',
    'person',
    () => import('./commands/person-words.ts'),
  ),
  company: inHouse(
    'enter, stop and review legal persons, their posts and their agents',
    'company',
    () => import('./commands/company.ts'),
  ),
  mandate: inHouse('grant, accept and end mandates', 'mandate', () => import('./commands/mandate.ts')),
  factor: inHouse(
    'take hardware tokens into stock, list and remove what people prove themselves with',
    'factor',
    () => import('./commands/factor.ts'),
  ),
  staff: inHouse('members of staff and their roles', 'staff', () => import('./commands/staff.ts')),
  demo: inHouse('fill a store with synthetic people and companies', 'demo', () => import('./commands/demo-seed.ts')),
  backup: inHouse('copy store and keys into one sealed file', 'backup', () => import('./commands/backup.ts')),
  restore: {
    means: 'bring a backup back, and end what was open when it was made',
    load: async () => (await import('./commands/in-house.ts')).runRestore,
    usage: () => import('./commands/restore.ts'),
  },
  migrate: {
    means: 'bring the store to this version, or show what that would run',
    load: async () => (await import('./commands/in-house.ts')).runMigrate,
    usage: () => import('./commands/migrate.ts'),
  },
  move: {
    means: 'carry a store from SQLite into PostgreSQL, and compare them',
    load: async () => (await import('./commands/in-house.ts')).runMove,
    usage: () => import('./commands/move-words.ts'),
  },
  logout: inHouse(
    'follow the notices by which portals learn of a sign-out',
    'logout',
    () => import('./commands/logout.ts'),
  ),
  keys: {
    means: 'list, rotate and retire keys, and bring what is sealed under new ones',
    load: async () => (await import('./commands/in-house.ts')).runKeys,
    usage: () => import('./commands/keys.ts'),
  },
  rows: inHouse('hold what decides who may do what against its seals', 'rows', () => import('./commands/rows.ts')),
  audit: {
    means: 'verify, search, export and prune the audit ledger',
    load: async () => (await import('./commands/in-house.ts')).runAudit,
  },
  incident: inHouse('list, grade, handle and report incidents', 'incident', () => import('./commands/incident.ts')),
  feed: inHouse('list, test and replay the feeds of events', 'feed', () => import('./commands/feed.ts')),
  config: byItself('show or check the configuration', () => import('./commands/config.ts')),
  certs: byItself(
    'make certificates to develop with, and check SM2 certificates of an authority',
    () => import('./commands/certs.ts'),
  ),
  capacity: byItself('machines, PostgreSQL and Redis for so many people', () => import('./commands/capacity.ts')),
  docs: byItself('render the references of faults and events', () => import('./commands/docs.ts')),
};

function usage(): string {
  const lines = Object.entries(COMMANDS).map(([name, { means }]) => `  tongban ${name.padEnd(8)} ${means}`);
  return `Usage:\n${lines.join('\n')}\n`;
}

const isHelp = (word: string | undefined): boolean => word === '--help' || word === '-h';

/** The command whose words somebody asks for: `tongban help person`, `tongban person --help`, or `--help` behind any of its words. */
function helpWanted([first, ...rest]: readonly string[]): string | undefined {
  if (first === 'help') return rest.find((word) => !isHelp(word));
  const ownWords = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  return rest[0] === 'help' || ownWords.some(isHelp) ? first : undefined;
}

async function main(words: readonly string[]): Promise<number> {
  const [name, ...args] = words;
  const asked = helpWanted(words);
  if (isHelp(name) || (name === 'help' && asked === undefined)) {
    process.stdout.write(usage());
    return 0;
  }
  const named = asked ?? name;
  const command = named !== undefined && Object.hasOwn(COMMANDS, named) ? COMMANDS[named] : undefined;
  if (!command) {
    if (named !== undefined) process.stderr.write(`There is no command ${JSON.stringify(visibleText(named))}.\n\n`);
    process.stderr.write(usage());
    return 2;
  }
  try {
    if (asked !== undefined && command.usage) {
      process.stdout.write((await command.usage()).USAGE);
      return 0;
    }
    return await (await command.load())(name === 'help' ? ['help'] : args);
  } catch (error) {
    process.stderr.write(error instanceof Fault ? `${error.forOperator}\n` : `${named} failed: ${describe(error)}\n`);
    return 1;
  }
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

process.exitCode = await main(process.argv.slice(2));
