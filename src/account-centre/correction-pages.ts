import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { parsePersonDetails } from '../people/person-details.ts';
import { spellingOf } from '../proofing/spelling.ts';
import { Fault } from '../shared/fault.ts';
import { accountToken, goTo, visitOf } from './account-form.ts';
import { isMatchable } from './document-matching.ts';
import type { AccountCentreSources } from './doors.ts';
import { provenForm, provenVisitor } from './fresh-proof.ts';

const PAGE = '/account/documents/correct';
const CORRECT = z.strictObject({ form_token: z.string().max(128), name: z.string().max(256) });
const TRIES_DAILY = 5;
const DAY_SECONDS = 86_400;

export type CorrectionProblem = 'name_empty' | 'same' | 'mismatch' | 'unavailable' | 'too_many' | 'no_document';

/** A name that has changed, or was written down wrong, is corrected by the register's word alone: nobody's own word is enough. */
export function addCorrectionRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => showCorrect(ctx as unknown as Context, sources));
  router.post(PAGE, (ctx) => postCorrect(ctx as unknown as Context, sources));
}

async function showCorrect(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-correct';
  if (await provenVisitor(ctx, sources)) render(ctx, sources, '');
}

const STATUS: Readonly<Partial<Record<CorrectionProblem, number>>> = { unavailable: 503, too_many: 429 };

function render(ctx: Context, sources: AccountCentreSources, name: string, problem?: CorrectionProblem): void {
  ctx.state.page = 'account-correct';
  sources.renderer.page(
    ctx,
    'account-correct',
    {
      action: PAGE,
      formToken: accountToken(ctx, sources),
      name: name.slice(0, 64),
      ...(problem ? { problem } : {}),
    },
    { status: problem === undefined ? 200 : (STATUS[problem] ?? 400) },
  );
}

async function postCorrect(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-correct';
  const form = await provenForm(ctx, CORRECT, sources);
  if (!form) return;
  const { personId, values } = form;
  const problem = await correct(ctx, personId, values.name, sources);
  if (problem !== undefined) return render(ctx, sources, values.name, problem);
  sources.reach.wakeOutbox();
  goTo(ctx, '/account/documents?done=proven');
}

async function correct(
  ctx: Context,
  personId: string,
  typed: string,
  sources: AccountCentreSources,
): Promise<CorrectionProblem | undefined> {
  const { persons, population, counters, ledger, corrections } = sources;
  const profile = await persons.profile(personId);
  if (profile?.status !== 'active') throw new Fault('ceremony_expired', 'the signed-in person may not act any more');
  const read = parsePersonDetails({ name: typed });
  if (!read.ok) return 'name_empty';
  const { name } = read.details;
  if (profile.name !== undefined && spellingOf(profile.name) === spellingOf(name)) return 'same';
  const held = (await persons.documents(personId)).find(isMatchable);
  if (held === undefined) return 'no_document';
  if (population === undefined) return 'unavailable';
  const visit = visitOf(ctx);
  const refuse = async (reason: 'mismatch' | 'too_many'): Promise<CorrectionProblem> => {
    const details = { reason };
    const refusal = { type: 'person.correction-refused', outcome: 'failure', personId, details } as const;
    await ledger.record({ ...visit, ...refusal });
    return reason;
  };
  if ((await counters.take(`name-correction:${personId}`, DAY_SECONDS)) > TRIES_DAILY) return refuse('too_many');
  const { document } = held;
  const answer = await population.check({ idNumber: document.number, name, documentType: document.type });
  if (answer === 'unavailable') return 'unavailable';
  if (answer === 'mismatch') return refuse('mismatch');
  const correction = { before: profile.name, after: name, documentId: held.id, source: population.name };
  await corrections.correct(personId, correction, { ...visit, origin: 'account' });
  return undefined;
}
