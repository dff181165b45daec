import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { SubmitOutcome } from '../../legal-persons/claim-reviews.ts';
import { EVIDENCE_FILES_MAX } from '../../legal-persons/evidence-files.ts';
import type { FieldProblem } from '../../web/pages-companies.ts';
import { ACCOUNT_PURPOSE, accountForm, accountToken, goTo, visitOf } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { provenVisitor } from '../fresh-proof.ts';
import { uploadForm } from '../upload-form.ts';
import { problemOf } from './claim-page.ts';
import { COMPANIES } from './list-page.ts';

const PAGE = `${COMPANIES}/review`;
const SUBMIT = z.strictObject({
  form_token: z.string().max(128),
  uscc: z.string().max(256),
  name: z.string().max(512),
  note: z.string().max(2048),
});
const WITHDRAW = z.strictObject({ form_token: z.string().max(128), id: z.string().min(1).max(64) });
type Values = Omit<z.infer<typeof SUBMIT>, 'form_token'>;
const NOTHING: Values = { uscc: '', name: '', note: '' };

/** Claiming a company no register can judge: evidence is handed in and two reviewers decide. */
export function addReviewRoutes(router: Router, sources: AccountCentreSources): void {
  router.get(PAGE, (ctx) => show(ctx as unknown as Context, sources));
  router.post(PAGE, (ctx) => post(ctx as unknown as Context, sources));
  router.post(`${PAGE}/withdraw`, (ctx) => postWithdraw(ctx as unknown as Context, sources));
}

async function show(ctx: Context, sources: AccountCentreSources): Promise<void> {
  if (await provenVisitor(ctx, sources)) render(ctx, sources, NOTHING);
}

const STATUS: Readonly<Record<string, number>> = { too_many: 429, level_too_low: 403, files_too_large: 413 };

function render(
  ctx: Context,
  sources: AccountCentreSources,
  values: Values,
  problems: readonly FieldProblem[] = [],
): void {
  ctx.state.page = 'account-company-review';
  sources.renderer.page(
    ctx,
    'account-company-review',
    {
      action: PAGE,
      formToken: accountToken(ctx, sources),
      values: {
        uscc: values.uscc.slice(0, 64),
        name: values.name.slice(0, 128),
        note: values.note.slice(0, 500),
      },
      filesMax: EVIDENCE_FILES_MAX,
      fileMegabytesMax: Math.max(1, Math.floor(sources.evidenceFileBytesMax / 1_048_576)),
      problems,
    },
    { status: problems[0] ? (STATUS[problems[0].code] ?? 400) : 200 },
  );
}

async function post(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-company-review';
  const limits = { filesMax: EVIDENCE_FILES_MAX, fileBytesMax: sources.evidenceFileBytesMax };
  const form = await uploadForm(ctx, SUBMIT, limits, sources);
  if (form === undefined) return;
  if (form.state === 'too_large') return render(ctx, sources, NOTHING, [{ field: 'files', code: 'files_too_large' }]);
  const { values, files, person } = form;
  const { personId } = person;
  const { uscc, name, note } = values;
  const outcome = await sources.legalPersons.submit({ personId, uscc, name, note, files, visit: visitOf(ctx) });
  if (outcome.ok) return goTo(ctx, `${COMPANIES}?done=submitted`);
  render(ctx, sources, values, problemsIn(outcome));
}

const FILE_REASONS: ReadonlySet<string> = new Set(['no_file', 'too_many_files', 'file_too_large', 'file_type']);

function problemsIn({
  reason,
  mistakes = [{ reason }],
}: Extract<SubmitOutcome, { ok: false }>): readonly FieldProblem[] {
  return mistakes.map((mistake) =>
    FILE_REASONS.has(mistake.reason) ? { field: 'files', code: mistake.reason } : problemOf(mistake),
  );
}

async function postWithdraw(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-company-review';
  const { values, personId } = await accountForm(ctx, WITHDRAW, ACCOUNT_PURPOSE, sources);
  // One that is not theirs, or decided already, is simply not changed (V39).
  await sources.legalPersons.withdraw(values.id, personId);
  goTo(ctx, `${COMPANIES}?done=withdrawn`);
}
