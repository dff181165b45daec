import type { Context } from 'koa';
import { z } from 'zod';
import { recogniseDocument } from '../../people/documents/parse.ts';
import type { FormProblem } from '../../web/pages-enrol.ts';
import { goTo } from '../account-form.ts';
import { checkSentCode } from '../sent-code.ts';
import { atAddress, strangerForm } from '../stranger-form.ts';
import { counterBinding } from './counter-desk.ts';
import type { EnrolmentSources } from './enrolment-sources.ts';
import { advanced, hiddenOf, keepDraft, PAGE_OF, PURPOSE, refusal, takeOne } from './steps.ts';

const FORM = z.strictObject({
  form_token: z.string().max(128),
  idNumber: z.string().max(256),
  code: z.string().max(64),
});

/** Where a person confirms what was begun for them at a counter, in a browser of their own. */
export async function showConfirm(ctx: Context, sources: EnrolmentSources): Promise<void> {
  ctx.state.page = 'register-confirm';
  render(ctx, '', sources);
}

function render(ctx: Context, idNumber: string, sources: EnrolmentSources, problem?: FormProblem): void {
  sources.renderer.page(
    ctx.method === 'POST' ? atAddress(ctx, PAGE_OF.confirm) : ctx,
    'register-confirm',
    {
      action: PAGE_OF.confirm,
      formToken: hiddenOf(ctx, undefined, sources).formToken,
      idNumber: idNumber.slice(0, 64),
      ...(problem ? { problem } : {}),
    },
    { status: problem ? 400 : 200 },
  );
}

/** A number for which nothing was begun, a wrong code and one that is over have one answer (D9). */
export async function postConfirm(ctx: Context, sources: EnrolmentSources): Promise<void> {
  ctx.state.page = 'register-confirm';
  const { values, browser } = await strangerForm(ctx, FORM, PURPOSE, sources);
  await takeOne(ctx, sources);
  const document = recogniseDocument(values.idNumber);
  if (document === undefined) return render(ctx, values.idNumber, sources, { field: 'idNumber', code: 'id_number' });
  const draft = await sources.drafts.findAtCounter(document);
  const account = `counter ${sources.index.name(document)}`;
  const checked = await checkSentCode(
    ctx,
    sources,
    { bound: counterBinding(draft?.id ?? ''), entered: values.code, account },
    (reason) => refusal(ctx, reason, sources),
  );
  if (draft === undefined || checked.state !== 'match') {
    await refusal(ctx, draft === undefined ? 'no_draft' : `code_${checked.state}`, sources);
    return render(ctx, values.idNumber, sources, { field: 'code', code: 'code_counter' });
  }
  const content = { ...draft.content, browser };
  const secret = await sources.database.write(async (tx) => {
    if (!(await checked.consume(tx))) return undefined;
    await sources.ledger.append(tx, advanced(ctx, draft.id, 'password'));
    return sources.drafts.handOver(tx, draft, { step: 'password', content });
  });
  if (secret === undefined) {
    await refusal(ctx, 'out_of_order', sources);
    return render(ctx, values.idNumber, sources, { field: 'code', code: 'code_counter' });
  }
  keepDraft(ctx, secret, sources);
  goTo(ctx, PAGE_OF.password);
}
