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

const COMMANDS: Readonly<Record<string, Entry>> = {
  serve: {
    means: 'run the server',
    load: async () => (await import('./commands/serve.ts')).run,
    usage: () => import('./commands/serve.ts'),
  },
  health: {
    means: 'ask a server whether it is ready',
    load: async () => (await import('./commands/health.ts')).run,
    usage: () => import('./commands/health.ts'),
  },
  client: {
    means: 'register and steer portals',
    load: async () => withHouse('client'),
    usage: () => import('./commands/client.ts'),
  },
  person: {
    means: 'add, show, disable or enable natural persons, their documents and what they sign in by',
    load: async () => withHouse('person'),
    usage: () => import('./commands/person-words.ts'),
  },
  company: {
    means: 'enter, stop and review legal persons, their posts and their agents',
    load: async () => withHouse('company'),
    usage: () => import('./commands/company.ts'),
  },
  mandate: {
    means: 'grant, accept and end mandates',
    load: async () => withHouse('mandate'),
    usage: () => import('./commands/mandate.ts'),
  },
  factor: {
    means: 'take hardware tokens into stock, list and remove what people prove themselves with',
    load: async () => withHouse('factor'),
    usage: () => import('./commands/factor.ts'),
  },
  staff: {
    means: 'members of staff and their roles',
    load: async () => withHouse('staff'),
    usage: () => import('./commands/staff.ts'),
  },
  demo: {
    means: 'fill a store with synthetic people and companies',
    load: async () => withHouse('demo'),
    usage: () => import('./commands/demo-seed.ts'),
  },
  backup: {
    means: 'copy store and keys into one sealed file',
    load: async () => withHouse('backup'),
    usage: () => import('./commands/backup.ts'),
  },
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
  logout: {
    means: 'follow the notices by which portals learn of a sign-out',
    load: async () => withHouse('logout'),
    usage: () => import('./commands/logout.ts'),
  },
  keys: {
    means: 'list, rotate and retire keys, and bring what is sealed under new ones',
    load: async () => (await import('./commands/in-house.ts')).runKeys,
    usage: () => import('./commands/keys.ts'),
  },
  rows: {
    means: 'hold what decides who may do what against its seals',
    load: async () => withHouse('rows'),
    usage: () => import('./commands/rows.ts'),
  },
  audit: {
    means: 'verify, search, export and prune the audit ledger',
    load: async () => (await import('./commands/in-house.ts')).runAudit,
  },
  incident: {
    means: 'list, grade, handle and report incidents',
    load: async () => withHouse('incident'),
    usage: () => import('./commands/incident.ts'),
  },
  feed: {
    means: 'list, test and replay the feeds of events',
    load: async () => withHouse('feed'),
    usage: () => import('./commands/feed.ts'),
  },
  config: {
    means: 'show or check the configuration',
    load: async () => (await import('./commands/config.ts')).run,
    usage: () => import('./commands/config.ts'),
  },
  certs: {
    means: 'make certificates to develop with, and check SM2 certificates of an authority',
    load: async () => (await import('./commands/certs.ts')).run,
    usage: () => import('./commands/certs.ts'),
  },
  capacity: {
    means: 'machines, PostgreSQL and Redis for so many people',
    load: async () => (await import('./commands/capacity.ts')).run,
    usage: () => import('./commands/capacity.ts'),
  },
  docs: {
    means: 'render the references of faults and events',
    load: async () => (await import('./commands/docs.ts')).run,
    usage: () => import('./commands/docs.ts'),
  },
};

const withHouse =
  (name: HouseCommand): Command =>
  async (args) =>
    (await import('./commands/in-house.ts')).runInHouse(name, args);

function usage(): string {
  const lines = Object.entries(COMMANDS).map(([name, { means }]) => `  tongban ${name.padEnd(8)} ${means}`);
  return `Usage:\n${lines.join('\n')}\n`;
}

const isHelp = (word: string | undefined): boolean => word === '--help' || word === '-h';

/** The command whose words somebody asks for: `tongban help person`, `tongban person --help`, or `--help` behind any of its words. */
function helpWanted([first, ...rest]: readonly string[]): string | undefined {
  if (first === 'help') return rest[0];
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
