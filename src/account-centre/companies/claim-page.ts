import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { ClaimMistake, ClaimOutcome } from '../../legal-persons/claims.ts';
import type { FieldProblem } from '../../web/pages-companies.ts';
import { accountToken, goTo, visitOf } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { provenForm, provenVisitor } from '../fresh-proof.ts';
import { COMPANIES } from './list-page.ts';

const PAGE = `${COMPANIES}/claim`;
const CLAIM = z.strictObject({
  form_token: z.string().max(128),
  uscc: z.string().max(256),
  name: z.string().max(512),
});
type Values = Pick<z.infer<typeof CLAIM>, 'uscc' | 'name'>;

/** Taking over a company as its legal representative: the register is asked at once. */
export function addClaimRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => show(ctx as unknown as Context, sources));
  router.post(PAGE, (ctx) => post(ctx as unknown as Context, sources));
}

async function show(ctx: Context, sources: AccountCentreSources): Promise<void> {
  if (await provenVisitor(ctx, sources)) render(ctx, sources, { uscc: '', name: '' });
}

const STATUS: Readonly<Record<string, number>> = { unavailable: 503, too_many: 429, level_too_low: 403 };

function render(
  ctx: Context,
  sources: AccountCentreSources,
  values: Values,
  problems: readonly FieldProblem[] = [],
): void {
  ctx.state.page = 'account-company-claim';
  sources.renderer.page(
    ctx,
    'account-company-claim',
    {
      action: PAGE,
      formToken: accountToken(ctx, sources),
      values: { uscc: values.uscc.slice(0, 64), name: values.name.slice(0, 128) },
      problems,
    },
    { status: problems[0] ? (STATUS[problems[0].code] ?? 400) : 200 },
  );
}

async function post(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-company-claim';
  const form = await provenForm(ctx, CLAIM, sources);
  if (!form) return;
  const { personId, values } = form;
  const { uscc, name } = values;
  const outcome = await sources.legalPersons.claim({ personId, uscc, name, visit: visitOf(ctx) });
  if (outcome.ok) return goTo(ctx, `${COMPANIES}/${outcome.legalPerson.id}?done=claimed`);
  render(ctx, sources, values, problemsIn(outcome));
}

/** What the page says of a refusal. Who else represents a company is not to be found out here, so two refusals read the same. */
function problemsIn({ reason, mistakes }: Extract<ClaimOutcome, { ok: false }>): readonly FieldProblem[] {
  if (mistakes !== undefined) return mistakes.map(problemOf);
  return [{ code: reason === 'mismatch' || reason === 'not_representative' ? 'claim_refused' : reason }];
}

/** The same of one mistake, at its field. */
export function problemOf(mistake: ClaimMistake | { readonly reason: string }): FieldProblem {
  const { reason } = mistake;
  if (reason === 'name') return { field: 'name', code: 'name' };
  if (reason !== 'code') return { code: reason };
  const refusal = 'codeRefusal' in mistake ? mistake.codeRefusal : undefined;
  return { field: 'uscc', code: `uscc_${refusal ?? 'characters'}` };
}
