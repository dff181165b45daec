import { type PersonDetails, parseNamelessDetails, parsePersonDetails } from '../people/person-details.ts';
import type { AssuranceLevel } from '../proofing/levels.ts';
import { type PartnerScales, toPartner } from '../proofing/partner-scales.ts';
import { visibleText } from '../web/visible-text.ts';
import { DOCUMENT_ACTIONS } from './person-documents.ts';
import { ENROL_ACTIONS } from './person-enrol.ts';
import { IDENTIFIER_ACTIONS } from './person-identifiers.ts';
import { passwordFor } from './person-password.ts';
import {
  type Action,
  documentIn,
  type ExitCode,
  identify,
  isRefusal,
  levelIn,
  type Options,
  ORIGIN,
  type PersonCommandContext,
  parsed,
  type Refusal,
  refuse,
  type Shown,
  UNKNOWN,
  USAGE,
} from './person-words.ts';

const UNFREEZE = 'unfreeze';
const REASON_LENGTH_MAX = 200;
/** What stands before an action of its own. */
const GROUPS: ReadonlySet<string> = new Set(['document', 'identifier']);

/** `tongban person ...`: accounts of natural persons from the command line. Numbers and names are shown masked only. */
export async function run(args: readonly string[], context: PersonCommandContext): Promise<ExitCode> {
  let line: ReturnType<typeof parsed>;
  try {
    line = parsed(args);
  } catch (error) {
    return misread(error instanceof Error ? error.message : String(error), context);
  }
  const { values, positionals } = line;
  const wordCount = GROUPS.has(positionals[0] ?? '') ? 2 : 1;
  const name = positionals.slice(0, wordCount).join(' ');
  const operands = positionals.slice(wordCount);
  const action = ACTIONS.get(name);
  if (name === '') {
    context.stderr.write(USAGE);
    return 2;
  }
  if (action === undefined) return misread(`There is no "tongban person ${visibleText(name)}".`, context);
  // What stands alone may be a number, which is not repeated.
  if (operands.length > (name === UNFREEZE ? 1 : 0))
    return misread(
      'A word stands without its option: --id, --id-number, --document or --net-number name a person.',
      context,
    );
  const outcome = await action(operands.length === 0 ? values : named(values, operands[0]!), context);
  if (!isRefusal(outcome)) {
    context.stdout.write(values.json === true ? `${JSON.stringify(outcome)}\n` : table(outcome));
    return 0;
  }
  context.stderr.write(`${outcome.refusal}\n`);
  return outcome.exitCode;
}

/** Why, and where the words are: all of them would bury the reason. */
function misread(reason: string, { stderr }: PersonCommandContext): 2 {
  stderr.write(`${reason}\nHow it goes: tongban person --help\n`);
  return 2;
}

const table = (shown: Shown | readonly Shown[]): string =>
  [shown]
    .flat()
    .map((one) =>
      Object.entries(one)
        .map(([name, value]) => `${name.padEnd(16)}${value}\n`)
        .join(''),
    )
    .join('\n');

const add: Action = async (options, context) => {
  const document = documentIn(options, { toHold: true });
  if (document === undefined) return refuse('--id-number is missing; --document and --net-number do as well.', 2);
  if (isRefusal(document)) return document;
  const details = detailsIn(options, document.type === 'net_number');
  if (isRefusal(details)) return details;
  const ial = levelIn(options.ial ?? '1');
  if (ial === undefined) return refuse('--ial is a level from 0 to 4.', 2);
  const password = options['password-stdin'] === true ? await passwordFor(document, details, context) : undefined;
  if (password !== undefined && typeof password !== 'string') return password;

  const outcome = await context.persons.add(
    { document, ...details, ial, origin: ORIGIN },
    password && ((tx, person) => context.passwords.store(tx, person.id, password, ORIGIN)),
  );
  if (!outcome.ok) return refuse('This document has an account already.');
  return describe(outcome.person.id, context);
};

/** Whoever comes with a network number may keep their name to themselves; everybody else has one. */
function detailsIn({ name, phone, email, address }: Options, mayBeNameless: boolean): Partial<PersonDetails> | Refusal {
  const contacts = { phone, email, address };
  const read =
    mayBeNameless && name === undefined ? parseNamelessDetails(contacts) : parsePersonDetails({ name, ...contacts });
  return read.ok ? read.details : refuse(`--${read.field} is missing or not acceptable.`, 2);
}

const show: Action = async (options, context) => {
  const id = await identify(options, context);
  return typeof id === 'string' ? describe(id, context) : id;
};

/** The reason on one line; empty when there is none, or more than may be kept. */
function reasonOf(options: Options): string {
  const reason = visibleText(options.reason ?? '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return reason.length > REASON_LENGTH_MAX ? '' : reason;
}

const switching =
  (change: 'disable' | 'enable'): Action =>
  async (options, context) => {
    const reason = options.reason === undefined ? undefined : reasonOf(options);
    if (reason === '') return refuse(`--reason says in at most ${REASON_LENGTH_MAX} characters why.`, 2);
    const id = await identify(options, context);
    if (typeof id !== 'string') return id;
    const outcome = await context.persons[change](id, ORIGIN, reason);
    if (outcome === 'unknown') return UNKNOWN;
    const shown = await describe(id, context);
    const isStillFrozen =
      change === 'enable' && outcome === 'unchanged' && 'status' in shown && shown.status === 'frozen';
    return isStillFrozen ? FROZEN : shown;
  };

const unfreeze: Action = async (options, context) => {
  const reason = reasonOf(options);
  if (reason === '') {
    return refuse(
      `--reason says in at most ${REASON_LENGTH_MAX} characters how the person has proven who they are.`,
      2,
    );
  }
  const id = await identify(options, context);
  if (typeof id !== 'string') return id;
  const outcome = await context.persons.unfreeze(id, ORIGIN, reason);
  if (outcome === 'unknown') return UNKNOWN;
  return outcome === 'unchanged' ? NOT_FROZEN : describe(id, context);
};

const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ['add', add],
  ['show', show],
  ['disable', switching('disable')],
  ['enable', switching('enable')],
  [UNFREEZE, unfreeze],
  ...DOCUMENT_ACTIONS,
  ...IDENTIFIER_ACTIONS,
  ...ENROL_ACTIONS,
]);

const FROZEN = refuse('The account of this person is frozen: use unfreeze, and say why.');
const NOT_FROZEN = refuse('The account of this person is not frozen; nothing was changed.');

/** The options with the person named by an operand; naming the person twice is refused by `identify`. */
const named = (options: Options, id: string): Options =>
  options.id === undefined ? { ...options, id } : { ...options, 'id-number': id };

async function describe(id: string, { persons, partnerScales }: PersonCommandContext): Promise<Shown | Refusal> {
  const profile = await persons.profile(id);
  if (profile === undefined) {
    // What was closed or merged has no document any more, and is not forgotten.
    const person = await persons.find(id);
    return person === undefined ? UNKNOWN : { id, status: person.status, ial: person.ial };
  }
  return {
    id: profile.id,
    status: profile.status,
    ial: profile.ial,
    partnerLevels: levelsAt(partnerScales, profile.ial),
    ...(profile.maskedName === undefined ? {} : { nameMasked: profile.maskedName }),
    idNumberMasked: profile.maskedNumber,
    documentType: profile.document.type,
  };
}

/** `guangdong 三级, zhejiang 2`: what each partner would be told; one whose scale begins above is left out. */
const levelsAt = (scales: PartnerScales, ial: AssuranceLevel): string =>
  Object.entries(scales)
    .map(([partner, scale]) => [partner, toPartner(scale, ial)])
    .filter(([, value]) => value !== undefined)
    .map((words) => words.join(' '))
    .join(', ');
