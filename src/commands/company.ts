import { readFile, stat } from 'node:fs/promises';
import type { LegalPersonProfile } from '../legal-persons/companies.ts';
import { IMPORT_LIMITS } from '../legal-persons/mandate-rows.ts';
import { maskUscc } from '../legal-persons/uscc.ts';
import { machineTime } from '../web/language.ts';
import { EVIDENCE_ACTIONS } from './company-review.ts';
import {
  type Action,
  byFrom,
  companyFrom,
  type ExitCode,
  type Grammar,
  type LegalCommandContext,
  limitFrom,
  Refusal,
  runAction,
  type Shown,
  sentence,
  text,
  usccFrom,
} from './legal-words.ts';
import { shownMandate } from './mandate-shown.ts';

export const USAGE = `tongban company add --uscc CODE --name NAME [--json]
tongban company show COMPANY [--json]
tongban company list [--before ID] [--limit N] [--json]
tongban company suspend COMPANY --reason TEXT [--json]     nobody may act for it until it is resumed
tongban company resume  COMPANY --reason TEXT [--json]
tongban company recheck COMPANY [--json]                   ask the register about it now
tongban company appoint COMPANY --person ID [--as ID] [--json]   an administrator, by the representative or by staff
tongban company dismiss COMPANY --person ID [--as ID] [--json]
tongban company uses COMPANY [--before ID] [--limit N] [--json]  who acted for it, when, at which portal
tongban company claims --person ID [--json]                the claims of one person
tongban company mandates COMPANY [--before ID] [--limit N] [--json]
tongban company mandates import FILE --company CODE --as ID [--dry-run] [--json]
    a table (CSV) of agents; granted whole or not at all, in the name of the representative or an administrator
tongban company review list [--after ID] [--limit N] [--json]    claims that wait for two reviewers
tongban company review show CLAIM [--json]
tongban company review approve CLAIM --by NAME --reason TEXT [--json]
tongban company review reject  CLAIM --by NAME --reason TEXT [--json]
tongban company review evidence CLAIM --out FOLDER --by NAME --reason TEXT [--json]
    writes the files into a new folder that its owner alone may read; this is on record

COMPANY is --id ID or --uscc CODE. Reasons hold no personal data.
`;

const OPTIONS = {
  id: { type: 'string' },
  uscc: { type: 'string' },
  company: { type: 'string' },
  name: { type: 'string' },
  person: { type: 'string' },
  as: { type: 'string' },
  by: { type: 'string' },
  reason: { type: 'string' },
  out: { type: 'string' },
  before: { type: 'string' },
  after: { type: 'string' },
  limit: { type: 'string' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

const ORIGIN = 'command';
const COMPANY = ['id', 'uscc'] as const;

const shownCompany = ({ id, uscc, name, category, status, suspendedCause, createdAt }: LegalPersonProfile): Shown => ({
  id,
  usccMasked: maskUscc(uscc),
  name,
  category,
  status,
  ...(suspendedCause === undefined ? {} : { suspendedCause }),
  createdAt: machineTime(createdAt),
});

async function describe(id: string, { house }: LegalCommandContext): Promise<Shown> {
  const profile = await house.legalPersons.profile(id);
  if (profile === undefined) throw new Refusal('There is no such legal person here.');
  const posts = await house.legalPersons.postsOf({ legalPersonId: id });
  return {
    ...shownCompany(profile),
    posts: posts.map(({ role, personId, status }) => ({ role, personId, status })),
  };
}

const add: Action = {
  options: ['uscc', 'name'],
  required: ['uscc', 'name'],
  async run(words, _operands, context) {
    const uscc = usccFrom(text(words, 'uscc') ?? '', 'uscc');
    const entered = { uscc, name: text(words, 'name') ?? '', origin: ORIGIN };
    const outcome = await context.house.legalPersons.add(entered, { operator: context.operator });
    if (outcome.ok) return { ...(await describe(outcome.legalPerson.id, context)), warnings: outcome.warnings };
    if (outcome.reason === 'exists') throw new Refusal('This code is entered already.');
    throw new Refusal(
      outcome.reason === 'name'
        ? '--name is missing or not acceptable.'
        : `--uscc is refused (${outcome.codeRefusal}).`,
      2,
    );
  },
};

const changing = (change: 'suspend' | 'resume'): Action => ({
  options: [...COMPANY, 'reason'],
  required: ['reason'],
  async run(words, _operands, context) {
    const reason = sentence(words, 'reason');
    const id = await companyFrom(words, context);
    const outcome = await context.house.legalPersons[change](id, { operator: context.operator }, reason);
    return { ...(await describe(id, context)), outcome };
  },
});

const post = (change: 'appoint' | 'dismiss'): Action => ({
  options: [...COMPANY, 'person', 'as'],
  required: ['person'],
  async run(words, _operands, context) {
    const id = await companyFrom(words, context);
    const by = await byFrom(words, context);
    const outcome = await context.house.legalPersons[change](id, text(words, 'person') ?? '', by);
    if (!outcome.ok) throw new Refusal(`Refused (${outcome.reason}); nothing was changed.`);
    return describe(id, context);
  },
});

const importing: Action = {
  options: ['company', 'as', 'dry-run'],
  required: ['company', 'as'],
  operands: 1,
  async run(words, [file = ''], context) {
    const legalPersonId = await companyFrom(words, context, 'company');
    const by = await byFrom(words, context);
    const content = await readSmall(file);
    const wanted = { legalPersonId, content, dryRun: words['dry-run'] === true };
    const report = await context.house.mandates.importFile(wanted, by);
    if (report.ok) return { ...report };
    const faults = report.faults.map(({ line, column, reason }) => `line ${line}${column && ` ${column}`}: ${reason}`);
    const count = `${report.faultCount} faults; nothing was granted.`;
    throw new Refusal(words.json === true ? JSON.stringify(report) : [...faults, count].join('\n'));
  },
};

async function readSmall(file: string): Promise<Buffer> {
  try {
    if ((await stat(file)).size > IMPORT_LIMITS.bytesMax) throw new RangeError('too large');
    return await readFile(file);
  } catch {
    throw new Refusal(`The file cannot be read, or is larger than ${IMPORT_LIMITS.bytesMax} bytes.`);
  }
}

const ACTIONS: Grammar['actions'] = {
  add,
  show: { options: COMPANY, run: async (words, _, context) => describe(await companyFrom(words, context), context) },
  list: {
    options: ['before', 'limit'],
    async run(words, _, { house }) {
      const before = text(words, 'before');
      const page = { ...(before === undefined ? {} : { before }), ...limitFrom(words) };
      return (await house.legalPersons.list(page)).map(shownCompany);
    },
  },
  suspend: changing('suspend'),
  resume: changing('resume'),
  recheck: {
    options: COMPANY,
    async run(words, _, context) {
      const id = await companyFrom(words, context);
      const outcome = await context.house.legalPersons.recheck(id);
      return { ...(await describe(id, context)), outcome };
    },
  },
  appoint: post('appoint'),
  dismiss: post('dismiss'),
  uses: {
    options: [...COMPANY, 'before', 'limit'],
    async run(words, _, context) {
      const legalPersonId = await companyFrom(words, context);
      const before = text(words, 'before');
      const page = { ...(before === undefined ? {} : { before }), ...limitFrom(words) };
      const uses = await context.house.legalPersons.uses({ legalPersonId }, page);
      return uses.map(({ at, ...use }) => ({ ...use, at: machineTime(at) }));
    },
  },
  claims: {
    options: ['person'],
    required: ['person'],
    async run(words, _, { house }) {
      const claims = await house.legalPersons.claimsOf(text(words, 'person') ?? '');
      return claims.map(({ createdAt, ...claim }) => ({ ...claim, createdAt: machineTime(createdAt) }));
    },
  },
  mandates: {
    options: [...COMPANY, 'before', 'limit'],
    async run(words, _, context) {
      const id = await companyFrom(words, context);
      const before = text(words, 'before');
      const page = { ...(before === undefined ? {} : { before }), ...limitFrom(words) };
      return (await context.house.mandates.ofCompany(id, page)).map(shownMandate);
    },
  },
  'mandates import': importing,
  ...EVIDENCE_ACTIONS,
};

/** `tongban company ...`: legal persons, who stands for them, claims that wait for reviewers, and agents by the file. */
export const run = (args: readonly string[], context: LegalCommandContext): Promise<ExitCode> =>
  runAction(args, { usage: USAGE, options: OPTIONS, actions: ACTIONS }, context);
