import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { CERTIFICATE_FIELDS } from '../factors/certificates/certificate-factor.ts';
import { FACTOR_KINDS, type FactorKind } from '../factors/factor.ts';
import { ASSERTION_FIELDS } from '../factors/passkeys/passkey-form.ts';
import { Fault } from '../shared/fault.ts';
import { randomToken } from '../shared/random.ts';
import { factorChoice } from '../web/factor-choice.ts';
import type { SecondFactorProblem } from '../web/pages-ladder.ts';
import { ACCOUNT_PURPOSE, accountForm, accountToken } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';
import type { ProvenAgain, SignedIn } from './proving.ts';
import { formWith, hiddenOf, type Waiting, waitingIn } from './waiting-form.ts';

const BY_FACTOR = '/account/prove/factor';
const BEGIN = `${BY_FACTOR}/begin`;
const TICKET_CHARS = 22;

const WHICH = { factor: z.enum(FACTOR_KINDS), ticket: z.string().regex(/^[A-Za-z0-9_-]{22}$/) };
/** A code, the code after it, or what a script or a key has signed. */
const ANSWER = z
  .object({ code: z.string().max(64), codeAfter: z.string().max(64), ...ASSERTION_FIELDS, ...CERTIFICATE_FIELDS })
  .partial();
const BY_ANSWER = formWith({ ...WHICH, ...ANSWER.shape });
const YES = z.literal('yes').optional();
const TO_BEGIN = formWith({ ...WHICH, choose: YES, again: YES, voice: YES });

/** What the page asks for, and what it is tied to. */
interface Showing {
  readonly ticket: string;
  readonly kind?: FactorKind;
  /** A code was sent for this ticket; whether another can be read out by a call. */
  readonly sent?: { readonly voice: boolean };
  readonly problem?: SecondFactorProblem;
  /** What a token that is looked for has shown. */
  readonly codeBefore?: string;
}

/** Where somebody goes on who has proven something. */
export type Onward = (
  ctx: Context,
  person: SignedIn,
  sources: AccountCentreSources,
  waiting: Waiting,
  proven: ProvenAgain,
) => Promise<void>;

/** The page on which somebody gives their second factor again. All of it are forms, so that what waits goes along with each. */
export function addSecondProofRoutes(router: Router, sources: AccountCentreSources, onward: Onward): void {
  router.post(BY_FACTOR, (ctx) => postAnswer(ctx as unknown as Context, sources, onward));
  router.post(BEGIN, (ctx) => postBegin(ctx as unknown as Context, sources, onward));
}

/** Asks for the second factor: the first of those the person has. */
export const showSecondProof = (
  ctx: Context,
  person: SignedIn,
  sources: AccountCentreSources,
  waiting: Waiting,
): Promise<void> => show(ctx, person, sources, waiting, { ticket: randomToken(TICKET_CHARS) });

async function show(
  ctx: Context,
  person: SignedIn,
  sources: AccountCentreSources,
  waiting: Waiting,
  { ticket, kind, sent, problem, codeBefore }: Showing,
): Promise<void> {
  ctx.state.page = 'account-prove-factor';
  if (problem === 'too_many') ctx.set('retry-after', '60');
  const { doors, renderer } = sources;
  const usable = await doors.secondFactors(person);
  const chosen = usable.find(({ factor }) => factor.kind === kind) ?? usable[0];
  if (chosen === undefined) throw new Fault('ceremony_expired', 'no second factor of this person can be asked for');
  const choice = await factorChoice(chosen, sent, async () => {
    const { language } = renderer.preferences(ctx);
    return chosen.factor.begin(await doors.factorUse(ctx, person, ticket), { language });
  });
  renderer.page(
    ctx,
    'account-prove-factor',
    {
      action: BY_FACTOR,
      beginAction: BEGIN,
      formToken: accountToken(ctx, sources),
      fields: [{ name: 'ticket', value: ticket }, ...hiddenOf(waiting)],
      choices: usable.map(({ factor }) => ({ kind: factor.kind, chosen: factor === chosen.factor })),
      chosen: { ...choice, ...(codeBefore === undefined ? {} : { codeBefore }) },
      cancelUrl: '/account',
      ...(problem ? { problem } : {}),
    },
    { status: problem ? STATUS[problem] : 200 },
  );
}

const STATUS = { refused: 401, astray: 401, too_many: 429, unavailable: 503 } as const;

/** Chooses another way, sends a code, or sends it once more. */
async function postBegin(ctx: Context, sources: AccountCentreSources, onward: Onward): Promise<void> {
  ctx.state.page = 'account-prove-factor';
  const { values, person } = await accountForm(ctx, TO_BEGIN, ACCOUNT_PURPOSE, sources);
  const { factor: kind, ticket, choose, again, voice } = values;
  const waiting = waitingIn(values);
  if (person.stale?.what !== 'second_factor') {
    return onward(ctx, person, sources, waiting, { state: 'proven', stale: person.stale });
  }
  if (choose === 'yes') return show(ctx, person, sources, waiting, { ticket, kind });
  const factor = await factorOf(person, kind, sources);
  const { language } = sources.renderer.preferences(ctx);
  const wishes = { language, again: again === 'yes', voice: voice === 'yes' };
  const begun = await factor.begin(await sources.doors.factorUse(ctx, person, ticket), wishes);
  if (begun.state !== 'ready' && begun.state !== 'sent_already') {
    return show(ctx, person, sources, waiting, { ticket, kind, problem: begun.state });
  }
  await show(ctx, person, sources, waiting, { ticket, kind, sent: { voice: begun.shown.voice === 'yes' } });
}

/** Takes an answer. Every wrong one is told in the same words: wrong, too late, used before, one too many. */
async function postAnswer(ctx: Context, sources: AccountCentreSources, onward: Onward): Promise<void> {
  ctx.state.page = 'account-prove-factor';
  const { values, person } = await accountForm(ctx, BY_ANSWER, ACCOUNT_PURPOSE, sources);
  const { factor: kind, ticket } = values;
  const waiting = waitingIn(values);
  if (person.stale?.what !== 'second_factor') {
    return onward(ctx, person, sources, waiting, { state: 'proven', stale: person.stale });
  }
  const { doors } = sources;
  const factor = await factorOf(person, kind, sources);
  const use = await doors.factorUse(ctx, person, ticket);
  const entered = enteredIn(values);
  const outcome = await doors.proveSecond(ctx, person, { factor, use, entered });
  if (outcome.state === 'ended') throw new Fault('ceremony_expired');
  if (outcome.state === 'proven') return onward(ctx, person, sources, waiting, outcome);
  const codeBefore = outcome.state === 'astray' ? (values.codeAfter ?? values.code) : undefined;
  await show(ctx, person, sources, waiting, {
    ticket,
    kind,
    // A code that was refused had been sent, and still counts.
    sent: { voice: false },
    problem: outcome.state,
    ...(codeBefore === undefined ? {} : { codeBefore }),
  });
}

/** What a factor knows the code after the first as is `next`, which is where this form leads to. */
function enteredIn(values: z.infer<typeof BY_ANSWER>): Readonly<Record<string, string>> {
  const { codeAfter, ...answer } = ANSWER.parse(values);
  const all = { ...answer, next: codeAfter };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

async function factorOf(person: SignedIn, kind: FactorKind, { doors }: AccountCentreSources) {
  const usable = (await doors.secondFactors(person)).find(({ factor }) => factor.kind === kind);
  if (usable === undefined) throw new Fault('ceremony_expired', 'a second factor was given that nobody had asked for');
  return usable.factor;
}
