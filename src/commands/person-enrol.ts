import type { AssistOutcome, ConfirmOutcome } from '../account-centre/enrolment/counter-desk.ts';
import { parsePersonDetails } from '../people/person-details.ts';
import { firstLine } from './person-password.ts';
import { type Action, documentIn, isRefusal, type Options, type PersonCommandContext, refuse } from './person-words.ts';

/** Sentences for a refusal; nothing was changed. */
const REFUSALS: Readonly<
  Record<Exclude<AssistOutcome['state'] | ConfirmOutcome['state'], 'waiting' | 'opened'>, string>
> = {
  exists: 'This document has an account already.',
  quota: 'Too many codes were sent to this number or for this person; try again later.',
  no_messenger: 'No messenger is configured, so no code can reach the person.',
  unknown: 'There is no such enrolment: it was confirmed, has expired, or was never begun.',
  mismatch: 'The code is not right.',
  expired: 'The code has expired or was used; begin again.',
  exhausted: 'The code was entered wrongly too often; begin again.',
};

type Counter = NonNullable<PersonCommandContext['counter']>;

/** At a counter, the card in hand: nothing exists until the person confirms with the code on their phone. */
const assist = async (options: Options, { desk, operator }: Counter) => {
  const document = documentIn(options);
  if (document === undefined) return refuse('--id-number is missing; --document does as well.', 2);
  if (isRefusal(document)) return document;
  const read = parsePersonDetails({ name: options.name, phone: options.phone });
  if (!read.ok) return refuse(`--${read.field} is missing or not acceptable.`, 2);
  const { name, phone } = read.details;
  if (phone === undefined) return refuse('--phone is missing.', 2);
  const outcome = await desk.assist({ document, name, phone }, operator);
  return outcome.state === 'waiting'
    ? { enrolment: outcome.draft, status: 'waiting' }
    : refuse(REFUSALS[outcome.state]);
};

const confirm = async (id: string, options: Options, { desk }: Counter, { stdin }: PersonCommandContext) => {
  if (options['code-stdin'] !== true) return refuse('The code is read from standard input: say --code-stdin.', 2);
  const outcome = await desk.confirm(id, (await firstLine(stdin)) ?? '');
  return outcome.state === 'opened' ? { id: outcome.personId, status: 'opened' } : refuse(REFUSALS[outcome.state]);
};

const enrol: Action = async (options, context) => {
  const { confirm: id } = options;
  const { counter } = context;
  if (counter === undefined) return refuse('There is no counter here.');
  if ((options.assist === true) === (id !== undefined))
    return refuse('Say --assist to begin an enrolment, or --confirm ID to finish one.', 2);
  return id === undefined ? assist(options, counter) : confirm(id, options, counter, context);
};

export const ENROL_ACTIONS: readonly (readonly [string, Action])[] = [['enrol', enrol]];
