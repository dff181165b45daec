import { userInfo } from 'node:os';
import { type House, openHouse } from '../app.ts';
import { loadConfig } from '../config/load.ts';
import { checkConfig, prepareConfig } from '../config/prepare.ts';
import { configRefusal } from '../config-doors.ts';
import { createOutbound } from '../delivery/outbound.ts';
import { counterDesk } from '../enrolment-doors.ts';
import { loadFeeds } from '../monitoring/feeds/feed-config.ts';
import { createIncidents } from '../monitoring/watch/incidents.ts';
import { loadPartnerScales } from '../proofing/partner-scales.ts';
import { nightlyJobs } from '../proofing-doors.ts';
import { languageOfTag } from '../web/language.ts';
import { actingOffice, byIn, keepsBy, refusalEvent, refusalText } from './acting-staff.ts';

/** A command that works on an open house. */
type InHouse = (args: readonly string[], house: House, operator: string) => Promise<number>;

const { stdin, stdout, stderr } = process;

const COMMANDS = {
  client: async (args, { relyingParties }) =>
    (await import('./client.ts')).run(args, { relyingParties, stdin, stdout, stderr }),
  person: async (args, house, operator) => {
    const { config, persons, identifiers, passwords, database } = house;
    if (args[0] === 'recheck') {
      const context = { database, jobs: nightlyJobs(house), stdout, stderr };
      return (await import('./person-recheck.ts')).runRecheck(args.slice(1), context);
    }
    const life = await import('./person-life.ts');
    if (life.LIFE_WORDS.has(args[0] ?? '')) return life.runLife(args, { house, stdout, stderr });
    return (await import('./person.ts')).run(args, {
      counter: { desk: counterDesk(house), operator },
      persons,
      identifiers,
      partnerScales: loadPartnerScales(config.assurance.scalesFile),
      passwords,
      passwordLengths: config.password,
      contextWords: [config.branding.nameEn, config.branding.nameZh, config.branding.provinceEn],
      stdin,
      stdout,
      stderr,
    });
  },
  company: async (args, house, operator) =>
    (await import('./company.ts')).run(args, { house, operator, stdout, stderr }),
  mandate: async (args, house, operator) =>
    (await import('./mandate.ts')).run(args, { house, operator, stdout, stderr }),
  demo: async (args, house) => (await import('./demo-seed.ts')).run(args, { house, stdout, stderr }),
  factor: async (args, house) => (await import('./factor.ts')).run(args, { house, stdout, stderr }),
  backup: async (args, house) => (await import('./backup.ts')).run(args, { house, stdin, stdout, stderr }),
  logout: async (args, { database, ledger }) =>
    (await import('./logout.ts')).run(args, { database, ledger, stdout, stderr }),
  staff: async (args, house) => (await import('./staff.ts')).run(args, { house, stdout, stderr }),
  keys: async (args, house) => (await import('./keys.ts')).run(args, { house, stdout, stderr }),
  rows: async (args, house) => (await import('./rows.ts')).run(args, { house, stdout, stderr }),
  incident: async (args, { config, database, ledger }, operator) => {
    const { operatorClass } = config.watch;
    const incidents = createIncidents({ database, ledger, operatorClass });
    const { run } = await import('./incident.ts');
    return run(args, { incidents, operator, operatorClass, branding: config.branding, stdout, stderr });
  },
  feed: async (args, { config, database, ledger, ledgerReader: reader }) => {
    const loaded = loadFeeds(config.monitoring.feedsFile);
    if (!loaded.ok) {
      for (const { path, reason } of loaded.faults) stderr.write(`${path} ${reason}\n`);
      return 2;
    }
    const outbound = createOutbound(config.outbound);
    return (await import('./feed.ts')).run(args, {
      feeds: loaded.feeds,
      reader,
      ledger,
      database,
      outbound,
      stdin,
      stdout,
      stderr,
    });
  },
} as const satisfies Record<string, InHouse>;

export type HouseCommand = keyof typeof COMMANDS;

/** Opens the house for one command, beside a server that may be running on the same data, and closes it afterwards. */
export async function runInHouse(name: HouseCommand, args: readonly string[]): Promise<number> {
  const prepared = prepareConfig();
  if (!prepared.ok) {
    stderr.write(`${prepared.sentences.join('\n')}\n`);
    return prepared.exitCode;
  }
  const refusal = configRefusal(prepared.config);
  if (refusal !== undefined) {
    stderr.write(`${refusal}\n`);
    return 2;
  }
  const operator = userInfo().username;
  const line = { command: name, args };
  const office = actingOffice(line, operator);
  const house = await openHouse(prepared.config, office.operatorIn);
  try {
    const acting = office.acting();
    if (acting.state === 'refused') {
      await house.ledger.record(refusalEvent(line, acting));
      stderr.write(`${refusalText(line, acting.reason)}\n`);
      return 1;
    }
    return await COMMANDS[name](acting.args, house, operator);
  } finally {
    await house.close();
  }
}

/** `tongban keys`: to let a key service make a master key no house is opened, for there may be none yet. */
export async function runKeys(args: readonly string[]): Promise<number> {
  if (args[0] !== 'wrap') return runInHouse('keys', args);
  const loaded = loadConfig();
  if (loaded.ok) return (await import('./keys-wrap.ts')).runWrap(args.slice(1), { ...loaded, stdout, stderr });
  for (const { path, reason } of loaded.faults) stderr.write(`${path}: ${reason}.\n`);
  return 2;
}

/** `tongban audit`: the house is opened only by those actions that need one, so that auditors can verify on any machine. */
export async function runAudit(args: readonly string[]): Promise<number> {
  const [{ run }, { Refused }] = await Promise.all([import('./audit.ts'), import('./audit-words.ts')]);
  const operator = userInfo().username;
  const line = { command: 'audit', args };
  return run(keepsBy(line) ? args : byIn(args).rest, {
    stdin,
    stdout,
    stderr,
    operator,
    // The locale of Node is that of LANG and its kin.
    language: languageOfTag(new Intl.DateTimeFormat().resolvedOptions().locale) ?? 'en',
    openHouse: async () => {
      const prepared = prepareConfig();
      if (!prepared.ok) throw new Refused(prepared.sentences.join('\n'), prepared.exitCode === 1 ? 1 : 2);
      const office = actingOffice(line, operator);
      const house = await openHouse(prepared.config, office.operatorIn);
      const acting = office.acting();
      if (acting.state !== 'refused') return house;
      await house.ledger.record(refusalEvent(line, acting));
      await house.close();
      throw new Refused(refusalText(line, acting.reason), 1);
    },
  });
}

/** `tongban restore`: opens the house of the folder it makes. */
export async function runRestore(args: readonly string[]): Promise<number> {
  const { run } = await import('./restore.ts');
  return run(args, {
    stdin,
    stdout,
    stderr,
    operator: userInfo().username,
    prepare: (dataDir) => prepareConfig(dataDir === undefined ? {} : { overrides: { dataDir } }),
  });
}

/** `tongban migrate`: opens no house, for a house does not stand before its store does. */
export async function runMigrate(args: readonly string[]): Promise<number> {
  const { run } = await import('./migrate.ts');
  return run(args, { stdout, stderr, prepare: (writes) => (writes ? prepareConfig() : checkConfig()) });
}

/** `tongban move`: opens no house, for one of its two stores must be opened by nobody else. */
export async function runMove(args: readonly string[]): Promise<number> {
  const { run } = await import('./move.ts');
  return run(args, {
    stdout,
    stderr,
    operator: userInfo().username,
    check: (dataDir, url) =>
      checkConfig({ overrides: { dataDir, ...(url === undefined ? {} : { database: { url } }) } }),
  });
}
