import type { HouseCommand } from './commands/in-house.ts';
import { Fault } from './shared/fault.ts';

/** A command takes its words and resolves with the exit code: 0 done, 1 refused or failed, 2 not understood. */
type Command = (args: readonly string[]) => Promise<number>;

const COMMANDS: Readonly<Record<string, { readonly means: string; readonly load: () => Promise<Command> }>> = {
  serve: { means: 'run the server', load: async () => (await import('./commands/serve.ts')).run },
  client: { means: 'register and steer portals', load: async () => withHouse('client') },
  person: {
    means: 'add, show, disable or enable natural persons, their documents and what they sign in by',
    load: async () => withHouse('person'),
  },
  company: {
    means: 'enter, stop and review legal persons, their posts and their agents',
    load: async () => withHouse('company'),
  },
  mandate: { means: 'grant, accept and end mandates', load: async () => withHouse('mandate') },
  factor: {
    means: 'take hardware tokens into stock, list and remove what people prove themselves with',
    load: async () => withHouse('factor'),
  },
  staff: {
    means: 'members of staff and their roles',
    load: async () => withHouse('staff'),
  },
  demo: {
    means: 'fill a store with synthetic people and companies',
    load: async () => withHouse('demo'),
  },
  backup: { means: 'copy store and keys into one sealed file', load: async () => withHouse('backup') },
  restore: {
    means: 'bring a backup back, and end what was open when it was made',
    load: async () => (await import('./commands/in-house.ts')).runRestore,
  },
  migrate: {
    means: 'bring the store to this version, or show what that would run',
    load: async () => (await import('./commands/in-house.ts')).runMigrate,
  },
  move: {
    means: 'carry a store from SQLite into PostgreSQL, and compare them',
    load: async () => (await import('./commands/in-house.ts')).runMove,
  },
  logout: { means: 'follow the notices by which portals learn of a sign-out', load: async () => withHouse('logout') },
  keys: {
    means: 'list, rotate and retire keys, and bring what is sealed under new ones',
    load: async () => (await import('./commands/in-house.ts')).runKeys,
  },
  rows: {
    means: 'hold what decides who may do what against its seals',
    load: async () => withHouse('rows'),
  },
  audit: {
    means: 'verify, search, export and prune the audit ledger',
    load: async () => (await import('./commands/in-house.ts')).runAudit,
  },
  incident: { means: 'list, grade, handle and report incidents', load: async () => withHouse('incident') },
  feed: { means: 'list, test and replay the feeds of events', load: async () => withHouse('feed') },
  config: { means: 'show or check the configuration', load: async () => (await import('./commands/config.ts')).run },
  certs: {
    means: 'make certificates to develop with, and check SM2 certificates of an authority',
    load: async () => (await import('./commands/certs.ts')).run,
  },
  capacity: {
    means: 'machines, PostgreSQL and Redis for so many people',
    load: async () => (await import('./commands/capacity.ts')).run,
  },
  docs: {
    means: 'render the references of faults and events',
    load: async () => (await import('./commands/docs.ts')).run,
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

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === 'help' || name === '--help') {
    process.stdout.write(usage());
    return 0;
  }
  const command = name === undefined || !Object.hasOwn(COMMANDS, name) ? undefined : COMMANDS[name];
  if (!command) {
    process.stderr.write(usage());
    return 2;
  }
  try {
    return await (await command.load())(args);
  } catch (error) {
    process.stderr.write(error instanceof Fault ? `${error.forOperator}\n` : `${name} failed: ${describe(error)}\n`);
    return 1;
  }
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

process.exitCode = await main(process.argv.slice(2));
