import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { parseIdentifier } from '../people/identifiers/identifier.ts';
import type { UserNameProblem } from '../web/pages-account.ts';
import { accountToken, goTo, visitOf } from './account-form.ts';
import { releaseIdentifier } from './contact-pages.ts';
import type { AccountCentreSources } from './doors.ts';
import { provenForm, provenVisitor } from './fresh-proof.ts';

const METHODS = '/account/methods';
const PAGE = `${METHODS}/user-name`;
const token = z.string().max(128);
const CHOOSE = z.strictObject({ form_token: token, userName: z.string().max(256) });
const REMOVE = z.strictObject({ form_token: token });
/** Whether a name is taken cannot be hidden from who wants it; how many names one may ask about can be limited. */
const TRIES_DAILY = 20;
const DAY_SECONDS = 86_400;

/** Choosing a name to sign in by, and letting go of it. */
export function addUserNameRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => show(ctx as unknown as Context, sources));
  router.post(PAGE, (ctx) => post(ctx as unknown as Context, sources));
  router.post(`${PAGE}/remove`, (ctx) => postRemove(ctx as unknown as Context, sources));
}

async function show(ctx: Context, sources: AccountCentreSources): Promise<void> {
  const visitor = await provenVisitor(ctx, sources);
  if (visitor) render(ctx, sources, visitor.profile.userName ?? '');
}

function render(ctx: Context, sources: AccountCentreSources, userName: string, problem?: UserNameProblem): void {
  ctx.state.page = 'account-user-name';
  sources.renderer.page(
    ctx,
    'account-user-name',
    {
      action: PAGE,
      formToken: accountToken(ctx, sources),
      userName: userName.slice(0, 64),
      ...(problem ? { problem } : {}),
    },
    { status: problem === undefined ? 200 : problem === 'too_many' ? 429 : 400 },
  );
}

async function post(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-user-name';
  const form = await provenForm(ctx, CHOOSE, sources);
  if (!form) return;
  const { personId, values } = form;
  const parsed = parseIdentifier('user_name', values.userName);
  if (!parsed.ok) return render(ctx, sources, values.userName, parsed.reason);
  const { counters, database, notices, identifiers, persons, reach } = sources;
  if ((await counters.take(`user-name:${personId}`, DAY_SECONDS)) > TRIES_DAILY) {
    return render(ctx, sources, values.userName, 'too_many');
  }
  const proof = { ...visitOf(ctx), origin: 'account', verifiedBy: 'chosen' };
  const outcome = await database.write(async (tx) => {
    const bound = await identifiers.bindIn(tx, personId, parsed.identifier, proof);
    if (bound.ok) await notices.tell(tx, personId, 'sign-in-changed', {});
    return bound;
  });
  persons.forget(personId);
  reach.wakeOutbox();
  if (!outcome.ok) return render(ctx, sources, values.userName, 'taken');
  goTo(ctx, `${METHODS}?done=bound`);
}

async function postRemove(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-methods';
  const form = await provenForm(ctx, REMOVE, sources);
  if (!form) return;
  await releaseIdentifier(ctx, sources, form.personId, 'user_name');
  goTo(ctx, `${METHODS}?done=removed`);
}
