import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { ImportReport } from '../../legal-persons/mandate-import.ts';
import { IMPORT_LIMITS } from '../../legal-persons/mandate-rows.ts';
import { Fault } from '../../shared/fault.ts';
import { accountToken, visitOf } from '../account-form.ts';
import type { AccountCentreSources } from '../doors.ts';
import { provenVisitor } from '../fresh-proof.ts';
import { uploadForm } from '../upload-form.ts';
import { companyOf, holds } from './company-page.ts';
import { COMPANIES } from './list-page.ts';

const UPLOAD = z.strictObject({ form_token: z.string().max(128), run: z.enum(['try', 'grant']) });
const LIMITS = { filesMax: 1, fileBytesMax: IMPORT_LIMITS.bytesMax };

/** Many agents by one file: first what it would do, then, with the same file, all of it or nothing. */
export function addImportRoutes(router: Router, sources: AccountCentreSources): void {
  const page = `${COMPANIES}/:id/import`;
  router.get(page, (ctx) => show(ctx as unknown as Context, sources));
  router.post(page, (ctx) => post(ctx as unknown as Context, sources));
}

async function companyAt(ctx: Context, personId: string, sources: AccountCentreSources) {
  const stood = await companyOf(ctx, personId, sources);
  if (!holds(stood)) throw new Fault('unknown_page');
  return stood.company;
}

async function show(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-company-import';
  const visitor = await provenVisitor(ctx, sources);
  if (visitor) await render(ctx, visitor.personId, sources, {});
}

interface Shown {
  readonly report?: ImportReport;
  readonly problem?: 'no_file' | 'files_too_large';
}

async function render(
  ctx: Context,
  personId: string,
  sources: AccountCentreSources,
  { report, problem }: Shown,
): Promise<void> {
  const { id, name } = await companyAt(ctx, personId, sources);
  const { language } = sources.renderer.preferences(ctx);
  sources.renderer.page(
    ctx,
    'account-company-import',
    {
      action: `${COMPANIES}/${id}/import`,
      formToken: accountToken(ctx, sources),
      company: { id, name },
      matters: sources.matters.all.map(({ id: matter, zh, en }) => ({
        id: matter,
        title: language === 'en' ? en : zh,
        chosen: false,
      })),
      ...(report ? { report } : {}),
      ...(problem ? { problem } : {}),
    },
    { status: problem === 'files_too_large' ? 413 : problem || report?.ok === false ? 400 : 200 },
  );
}

async function post(ctx: Context, sources: AccountCentreSources): Promise<void> {
  ctx.state.page = 'account-company-import';
  const form = await uploadForm(ctx, UPLOAD, LIMITS, sources);
  if (form === undefined) return;
  const { personId } = form.person;
  if (form.state === 'too_large') return render(ctx, personId, sources, { problem: 'files_too_large' });
  const content = form.files[0]?.content;
  if (content === undefined) return render(ctx, personId, sources, { problem: 'no_file' });
  const company = await companyAt(ctx, personId, sources);
  const report = await sources.mandates.importFile(
    { legalPersonId: company.id, content, dryRun: form.values.run === 'try' },
    { personId, visit: visitOf(ctx) },
  );
  await render(ctx, personId, sources, { report });
}
