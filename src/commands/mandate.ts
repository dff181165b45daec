import type { AgentChoice } from '../legal-persons/agents.ts';
import type { By } from '../legal-persons/by.ts';
import type { ChangeOutcome } from '../legal-persons/mandate-changes.ts';
import type { Grant } from '../legal-persons/mandate-grants.ts';
import { parseDocument } from '../people/documents/parse.ts';
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
  untilFrom,
  usccFrom,
  type Words,
} from './legal-words.ts';
import { shownMandate } from './mandate-shown.ts';

export const USAGE = `tongban mandate list (--company CODE | --agent ID | --represented ID) [--live] [--before ID] [--limit N] [--json]
tongban mandate show ID [--json]
tongban mandate grant --company CODE AGENT --matter M ... [--portal P ...] [--until DAY] [--acr-max URN] [--may-delegate] WHO [--json]
tongban mandate grant --kind guardian|relative --represented ID AGENT --matter M ... [--portal P ...] [--until DAY] WHO [--json]
tongban mandate accept  ID --as ID [--json]
tongban mandate decline ID --as ID [--json]
tongban mandate revoke  ID --reason TEXT [--as ID] [--json]   without --as by staff, such as the hotline
tongban mandate suspend ID --reason TEXT [--as ID] [--json]
tongban mandate resume  ID --reason TEXT [--as ID] [--json]
tongban mandate renew   ID --until DAY [--as ID] [--json]

AGENT is --agent ID, --agent-company CODE, or --agent-document TYPE:ISSUER:NUMBER --agent-name NAME for somebody who may have no
account yet. WHO is --as ID of whoever grants, or --evidence TEXT that says how staff was shown the wish or the relation. DAY is
YYYY-MM-DD, the last day it holds. A matter stands in the catalogue (legalPersons.mattersFile).
`;

const OPTIONS = {
  kind: { type: 'string' },
  company: { type: 'string' },
  represented: { type: 'string' },
  agent: { type: 'string' },
  'agent-company': { type: 'string' },
  'agent-document': { type: 'string' },
  'agent-name': { type: 'string' },
  matter: { type: 'string', multiple: true },
  portal: { type: 'string', multiple: true },
  until: { type: 'string' },
  'acr-max': { type: 'string' },
  'may-delegate': { type: 'boolean' },
  as: { type: 'string' },
  evidence: { type: 'string' },
  reason: { type: 'string' },
  live: { type: 'boolean' },
  before: { type: 'string' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
} as const;

async function described(id: string, { house }: LegalCommandContext): Promise<Shown> {
  const view = await house.mandates.view(id);
  if (view === undefined) throw new Refusal('There is no such mandate.');
  return shownMandate(view);
}

async function agentFrom(words: Words, { house }: LegalCommandContext): Promise<AgentChoice> {
  const given = ['agent', 'agent-company', 'agent-document'].filter((name) => words[name] !== undefined);
  if (given.length !== 1) throw new Refusal('Name one agent: --agent, --agent-company or --agent-document.', 2);
  const code = text(words, 'agent-company');
  if (code !== undefined) {
    const company = await house.legalPersons.findByUscc(usccFrom(code, 'agent-company'));
    if (company === undefined) throw new Refusal('There is no legal person of --agent-company here.');
    return { legalPersonId: company.id };
  }
  const document = text(words, 'agent-document');
  if (document === undefined) return { personId: text(words, 'agent') ?? '' };
  const [type = '', issuer = '', ...number] = document.split(':');
  const read = parseDocument(type, issuer, number.join(':'));
  if (!read.ok) throw new Refusal(`--agent-document is not a valid document (${read.reason}).`, 2);
  const name = text(words, 'agent-name');
  if (name === undefined) throw new Refusal('--agent-name is missing: the invitation holds for that name alone.', 2);
  return { document: read.document, name };
}

async function grantFrom(words: Words, context: LegalCommandContext): Promise<Grant> {
  const kind = text(words, 'kind') ?? 'agent';
  const terms = {
    agent: await agentFrom(words, context),
    matters: (words.matter ?? []) as readonly string[],
    portals: words.portal as readonly string[] | undefined,
    validUntil: untilFrom(words),
    acrMax: text(words, 'acr-max'),
    evidence: words.evidence === undefined ? undefined : sentence(words, 'evidence'),
  };
  const represented = text(words, 'represented');
  if (kind === 'agent') {
    if (represented !== undefined) throw new Refusal('--represented belongs to --kind guardian or relative.', 2);
    const legalPersonId = await companyFrom(words, context, 'company');
    return { ...terms, kind, legalPersonId, mayDelegate: words['may-delegate'] === true };
  }
  if (kind !== 'guardian' && kind !== 'relative') throw new Refusal('--kind is agent, guardian or relative.', 2);
  if (represented === undefined || words.company !== undefined) throw new Refusal('--represented is missing.', 2);
  return { ...terms, kind, representedId: represented };
}

const grant: Action = {
  options: Object.keys(OPTIONS).filter((name) => !['reason', 'live', 'before', 'limit'].includes(name)),
  required: ['matter'],
  async run(words, _operands, context) {
    if ((words.as === undefined) === (words.evidence === undefined)) {
      throw new Refusal('Say who grants (--as), or how staff was shown that it is wanted (--evidence).', 2);
    }
    const by = await byFrom(words, context);
    const outcome = await context.house.mandates.grant(await grantFrom(words, context), by);
    if (outcome.ok) return described(outcome.mandate.id, context);
    const existing = outcome.existing === undefined ? '' : `: ${outcome.existing.id}`;
    throw new Refusal(`Refused (${outcome.reason})${existing}; nothing was granted.`);
  },
};

type Change = (
  context: LegalCommandContext,
  id: string,
  by: Exclude<By, 'house'>,
  words: Words,
) => Promise<ChangeOutcome>;

const changing = (change: Change, own: Pick<Action, 'options' | 'required'>): Action => ({
  ...own,
  operands: 1,
  async run(words, [id = ''], context) {
    const outcome = await change(context, id, await byFrom(words, context), words);
    if (!outcome.ok) throw new Refusal(`Refused (${outcome.reason}); nothing was changed.`);
    return described(id, context);
  },
});

const REASONED = { options: ['as', 'reason'], required: ['reason'] } as const;
const AS_AGENT = { options: ['as'], required: ['as'] } as const;

const ACTIONS: Grammar['actions'] = {
  list: {
    options: ['company', 'agent', 'represented', 'live', 'before', 'limit'],
    async run(words, _operands, context) {
      const { mandates } = context.house;
      const page = { before: text(words, 'before'), live: words.live === true, ...limitFrom(words) };
      const [agent, represented] = [text(words, 'agent'), text(words, 'represented')];
      const given = [words.company, agent, represented].filter((value) => value !== undefined);
      if (given.length !== 1) throw new Refusal('Name one: --company, --agent or --represented.', 2);
      const views =
        agent !== undefined
          ? await mandates.ofAgent(agent, page)
          : represented !== undefined
            ? await mandates.ofRepresented(represented, page)
            : await mandates.ofCompany(await companyFrom(words, context, 'company'), page);
      return views.map(shownMandate);
    },
  },
  show: {
    options: [],
    operands: 1,
    run: (_words, [id = ''], context) => described(id, context),
  },
  grant,
  accept: changing(({ house }, id, by) => house.mandates.accept(id, by), AS_AGENT),
  decline: changing(({ house }, id, by) => house.mandates.decline(id, by), AS_AGENT),
  revoke: changing(({ house }, id, by, words) => house.mandates.revoke(id, by, sentence(words, 'reason')), REASONED),
  suspend: changing(({ house }, id, by, words) => house.mandates.suspend(id, by, sentence(words, 'reason')), REASONED),
  resume: changing(({ house }, id, by, words) => house.mandates.resume(id, by, sentence(words, 'reason')), REASONED),
  renew: changing(({ house }, id, by, words) => house.mandates.renew(id, by, untilFrom(words) ?? 0), {
    options: ['as', 'until'],
    required: ['until'],
  }),
};

/** `tongban mandate ...`: who may act for whom. Names of people are shown masked only. */
export const run = (args: readonly string[], context: LegalCommandContext): Promise<ExitCode> =>
  runAction(args, { usage: USAGE, options: OPTIONS, actions: ACTIONS }, context);
