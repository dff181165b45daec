import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { nowSeconds } from '../shared/clock.ts';
import { Fault } from '../shared/fault.ts';
import type { MergeProblem } from '../web/pages-life.ts';
import { accountToken, goTo, type Visitor, visitOf } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';
import { provenForm, provenVisitor } from './fresh-proof.ts';

const PAGE = '/account/merge';
const token = z.string().max(128);
const PROVE = z.strictObject({ form_token: token, identifier: z.string().max(256), password: z.string().max(4096) });
const CHOOSE = z.strictObject({
  form_token: token,
  other: z.string().regex(/^psn_[\w-]{1,64}$/),
  proven_at: z.string().regex(/^\d{1,12}$/),
  proof: token,
  keep: z.enum(['this', 'other']).optional(),
});
const UNDO = z.strictObject({ form_token: token, id: z.string().regex(/^mrg_[\w-]{1,64}$/) });

/** Ties the proof of the other account to this account, this browser and its moment. */
const purposeOf = (thisId: string, otherId: string, provenAt: string): string =>
  `merge ${thisId} ${otherId} ${provenAt}`;

/** Making one of two accounts: the person proves the second one here, says which is kept, and can take it back for a while. */
export function addMergeRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => showMerge(ctx as unknown as Context, sources));
  router.post(PAGE, (ctx) => postOther(ctx as unknown as Context, sources));
  router.post(`${PAGE}/choose`, (ctx) => postChoice(ctx as unknown as Context, sources));
  router.post(`${PAGE}/undo`, (ctx) => postUndo(ctx as unknown as Context, sources));
}

async function showMerge(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-merge';
  if (await provenVisitor(ctx, sources)) render(ctx, sources, '');
}

const STATUS: Readonly<Partial<Record<MergeProblem, number>>> = { refused: 401, too_many: 429, busy: 503 };

function render(ctx: Context, sources: AccountCentreSources, identifier: string, problem?: MergeProblem): void {
  ctx.state.page = 'account-merge';
  if (problem === 'busy') ctx.set('retry-after', '3');
  if (problem === 'too_many') ctx.set('retry-after', '60');
  sources.renderer.page(
    ctx,
    'account-merge',
    {
      action: PAGE,
      formToken: accountToken(ctx, sources),
      identifier: identifier.slice(0, 64),
      undoDays: sources.mergeUndoDays,
      ...(problem ? { problem } : {}),
    },
    { status: problem === undefined ? 200 : (STATUS[problem] ?? 400) },
  );
}

/** The second account is proven as in a sign-in: same limits, same record, one answer for everything that is wrong. */
async function postOther(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-merge';
  const form = await provenForm(ctx, PROVE, sources);
  if (!form) return;
  const { identifier, password } = form.values;
  const outcome = await sources.doors.proveOther(ctx, form.person, identifier, password);
  if (outcome.state !== 'proven') return render(ctx, sources, identifier, outcome.state);
  if (outcome.personId === form.personId) return render(ctx, sources, identifier, 'same_account');
  await renderChoice(ctx, sources, form.personId, outcome.personId, String(nowSeconds()));
}

async function profileOf(personId: string, { persons }: AccountCentreSources): Promise<Visitor['profile']> {
  const profile = await persons.profile(personId);
  if (profile?.status !== 'active') throw new Fault('ceremony_expired', 'one of the two accounts is not open any more');
  return profile;
}

async function renderChoice(
  ctx: Context,
  sources: AccountCentreSources,
  thisId: string,
  otherId: string,
  provenAt: string,
  problem?: 'choose',
): Promise<void> {
  ctx.state.page = 'account-merge-choose';
  const { formTokens, renderer, persons, mergeUndoDays } = sources;
  const accounts = await Promise.all(
    [['this', thisId] as const, ['other', otherId] as const].map(async ([id, personId]) => {
      const { maskedName, maskedNumber, ial } = await profileOf(personId, sources);
      const documents = await persons.documents(personId);
      return {
        id,
        ...(maskedName === undefined ? {} : { maskedName }),
        maskedNumber,
        ial,
        documents: documents.map(({ document }) => document.type),
      };
    }),
  );
  renderer.page(
    ctx,
    'account-merge-choose',
    {
      action: `${PAGE}/choose`,
      formToken: accountToken(ctx, sources),
      other: otherId,
      provenAt,
      proof: formTokens.issue(formTokens.browserOf(ctx), purposeOf(thisId, otherId, provenAt)),
      accounts,
      undoDays: mergeUndoDays,
      ...(problem ? { problem } : {}),
    },
    { status: problem ? 400 : 200 },
  );
}

async function postChoice(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-merge-choose';
  const form = await provenForm(ctx, CHOOSE, sources);
  if (!form) return;
  const { personId: thisId, values } = form;
  const { other, proven_at: provenAt, proof, keep } = values;
  const { formTokens, freshProofSeconds, merges, reach, renderer } = sources;
  if (!formTokens.accepts(proof, formTokens.knownBrowserOf(ctx), purposeOf(thisId, other, provenAt))) {
    throw new Fault('form_token_refused');
  }
  if (nowSeconds() - Number(provenAt) > freshProofSeconds) return render(ctx, sources, '', 'proof_old');
  if (keep === undefined) return renderChoice(ctx, sources, thisId, other, provenAt, 'choose');
  const pair = keep === 'this' ? { keptId: thisId, mergedId: other } : { keptId: other, mergedId: thisId };
  const outcome = await merges.merge(pair, { ...visitOf(ctx), origin: 'account' });
  if (!outcome.ok) return render(ctx, sources, '', outcome.reason);
  reach.wakeOutbox();
  renderer.page(ctx, 'account-merged', {
    undoUntil: outcome.undoUntil,
    signedIn: keep === 'this',
    accountUrl: '/account',
  });
}

async function postUndo(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-data';
  const form = await provenForm(ctx, UNDO, sources);
  if (!form) return;
  const { personId, values } = form;
  const outcome = await sources.merges.undo(values.id, { ...visitOf(ctx), origin: 'account' }, personId);
  sources.reach.wakeOutbox();
  if (!outcome.ok) return goTo(ctx, `/account/data?undo=${outcome.reason}`);
  sources.renderer.page(ctx, 'account-merge-undone', { accountUrl: '/account' });
}
