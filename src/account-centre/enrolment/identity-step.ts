import type { Context } from 'koa';
import { z } from 'zod';
import type { Passage } from '../../defence/gate.ts';
import type { Draft, DraftContent } from '../../people/enrolment-drafts.ts';
import { documentOfIdNumber, parseIdNumber } from '../../people/id-number.ts';
import { maskDocument, maskName } from '../../people/masking.ts';
import { isChild } from '../../people/minors.ts';
import { parsePersonDetails } from '../../people/person-details.ts';
import { ceremonyId } from '../../web/ceremony-address.ts';
import type { FormProblem } from '../../web/pages-enrol.ts';
import { PASSAGE_FIELDS, passageFor, passageOf } from '../../web/passage.ts';
import { goTo } from '../account-form.ts';
import { atAddress, strangerForm } from '../stranger-form.ts';
import type { EnrolmentSources } from './enrolment-sources.ts';
import {
  addressAfter,
  advanced,
  beginning,
  draftOf,
  goOn,
  hiddenOf,
  keepDraft,
  mayBeAt,
  outOfOrder,
  PAGE,
  PAGE_OF,
  PURPOSE,
  refusal,
  STEP_FIELDS,
  takeOne,
} from './steps.ts';

const FORM = z.strictObject({
  ...STEP_FIELDS,
  name: z.string().max(256),
  idNumber: z.string().max(256),
  continue: ceremonyId.optional(),
  ...PASSAGE_FIELDS,
});
const CHOICE = z.strictObject({
  form_token: z.string().max(128),
  continue: ceremonyId.optional(),
  decision: z.enum(['continue', 'over', 'again']),
});

interface Shown {
  readonly name: string;
  readonly idNumber: string;
  readonly waiting: string | undefined;
}

/** The first page. A browser that has begun is asked whether to go on; `?edit=1` leads back to change name or number. */
export async function showIdentity(ctx: Context, sources: EnrolmentSources): Promise<void> {
  ctx.state.page = 'register-identity';
  const asked = ceremonyId.safeParse(ctx.query.continue);
  const draft = await draftOf(ctx, sources);
  const waiting = asked.success ? asked.data : draft?.content.continue;
  if (draft === undefined || ctx.query.edit === '1')
    return showForm(ctx, draft, { name: '', idNumber: '', waiting }, sources);
  const { name, document } = draft.content;
  sources.renderer.page(ctx, 'register-resume', {
    action: `${PAGE}/resume`,
    formToken: hiddenOf(ctx, draft, sources).formToken,
    maskedName: maskName(name),
    maskedNumber: maskDocument(document),
    ...(waiting === undefined ? {} : { continueWith: waiting }),
  });
}

async function showForm(
  ctx: Context,
  draft: Draft | undefined,
  { name, idNumber, waiting }: Shown,
  sources: EnrolmentSources,
  problem?: FormProblem,
  passage?: Passage,
): Promise<void> {
  const query = { ...(draft ? { edit: '1' } : {}), ...(waiting === undefined ? {} : { continue: waiting }) };
  const asked = new URLSearchParams(query).toString();
  sources.renderer.page(
    ctx.method === 'POST' ? atAddress(ctx, PAGE, query) : ctx,
    'register',
    {
      action: PAGE,
      ...hiddenOf(ctx, draft, sources),
      values: { name: name.slice(0, 64), idNumber: idNumber.slice(0, 64) },
      signInUrl: addressAfter(waiting),
      ...(waiting === undefined ? {} : { continueWith: waiting }),
      ...(problem ? { problem } : {}),
      ...(await passageFor(ctx, sources.gate, `${PAGE}${asked === '' ? '' : `?${asked}`}`, passage)),
    },
    { status: problem?.code === 'unproven' ? 429 : problem ? 400 : 200 },
  );
}

/** Name and number against the register. It says match or mismatch whether or not the number has an account (D9). */
export async function postIdentity(ctx: Context, sources: EnrolmentSources): Promise<void> {
  ctx.state.page = 'register-identity';
  const { values, browser } = await strangerForm(ctx, FORM, PURPOSE, sources);
  const draft = await draftOf(ctx, sources);
  const isHere = draft === undefined || mayBeAt(draft, 'identity');
  if (!isHere || (draft?.version ?? 0) !== Number(values.draft)) return outOfOrder(ctx, draft, sources);
  const waiting = values.continue ?? draft?.content.continue;
  const shown = { name: values.name, idNumber: values.idNumber, waiting };
  const details = parsePersonDetails({ name: values.name });
  if (!details.ok) return showForm(ctx, draft, shown, sources, { field: 'name', code: 'name_empty' });
  const number = parseIdNumber(values.idNumber);
  if (!number.ok)
    return showForm(ctx, draft, shown, sources, { field: 'idNumber', code: `id_number_${number.reason}` });
  if (isChild(number.birthDate)) {
    await refusal(ctx, 'under_14', sources);
    return showForm(ctx, draft, shown, sources, { field: 'idNumber', code: 'under_14' });
  }
  // Before the register is asked and anything is counted: whoever comes without the work costs no look and uses up nobody's allowance.
  const passage = passageOf(values);
  if ((await sources.gate.judge(ctx.ip, passage)) === 'unproven') {
    await refusal(ctx, 'unproven', sources);
    ctx.set('retry-after', '1');
    return showForm(ctx, draft, shown, sources, { code: 'unproven' }, passage);
  }
  await takeOne(ctx, sources);
  const content: DraftContent = {
    document: documentOfIdNumber(number.number),
    name: details.details.name,
    browser,
    ...(waiting === undefined ? {} : { continue: waiting }),
  };
  const answer = await judge(ctx, draft, content, sources);
  if (answer === 'mismatch') await showForm(ctx, draft, shown, sources, { code: 'mismatch' }, passage);
}

/** Asks the register and keeps what it answered; a mismatch is left to the caller to show. */
async function judge(
  ctx: Context,
  draft: Draft | undefined,
  content: DraftContent,
  sources: EnrolmentSources,
): Promise<'answered' | 'mismatch'> {
  const { population } = sources;
  const { document, name } = content;
  const answer = await population.check({ idNumber: document.number, name, documentType: document.type });
  if (answer === 'mismatch') {
    await Promise.all([sources.gate.failed(ctx.ip), refusal(ctx, 'mismatch', sources)]);
    return 'mismatch';
  }
  const change =
    answer === 'match'
      ? ({ step: 'phone', content: { ...content, source: population.name } } as const)
      : ({ step: 'identity', content } as const);
  if (draft === undefined) await begin(ctx, change, sources);
  else if (!(await goOn(ctx, draft, change, sources))) {
    await outOfOrder(ctx, draft, sources);
    return 'answered';
  }
  if (answer === 'match') goTo(ctx, PAGE_OF.phone);
  else showUnavailable(ctx, content, sources);
  return 'answered';
}

async function begin(
  ctx: Context,
  change: { readonly step: 'phone' | 'identity'; readonly content: DraftContent },
  sources: EnrolmentSources,
): Promise<void> {
  const secret = await sources.database.write(async (tx) => {
    const begun = await sources.drafts.begin(tx, 'self', change);
    await sources.ledger.append(tx, advanced(ctx, begun.id, change.step));
    return begun.secret;
  });
  keepDraft(ctx, secret, sources);
}

/** Nobody was judged: what was typed is kept, and can be asked about again with one button. */
function showUnavailable(ctx: Context, { continue: waiting }: DraftContent, sources: EnrolmentSources): void {
  sources.renderer.page(
    atAddress(ctx, PAGE, waiting === undefined ? {} : { continue: waiting }),
    'register-unavailable',
    { action: `${PAGE}/resume`, formToken: hiddenOf(ctx, undefined, sources).formToken },
    { status: 503 },
  );
}

/** Going on with what this browser has begun, asking the register again, or starting over. */
export async function postResume(ctx: Context, sources: EnrolmentSources): Promise<void> {
  ctx.state.page = 'register-identity';
  const { values } = await strangerForm(ctx, CHOICE, PURPOSE, sources);
  const draft = await draftOf(ctx, sources);
  const waiting = values.continue ?? draft?.content.continue;
  if (draft === undefined) return goTo(ctx, beginning(waiting));
  if (values.decision === 'over') {
    await sources.database.write((tx) => sources.drafts.end(tx, draft));
    return goTo(ctx, beginning(waiting));
  }
  const content = { ...draft.content, ...(waiting === undefined ? {} : { continue: waiting }) };
  if (draft.step === 'identity') {
    await takeOne(ctx, sources);
    const answer = await judge(ctx, draft, content, sources);
    if (answer === 'mismatch') showForm(ctx, draft, { name: '', idNumber: '', waiting }, sources, { code: 'mismatch' });
    return;
  }
  if (waiting !== draft.content.continue)
    await sources.database.write((tx) => sources.drafts.advance(tx, draft, { step: draft.step, content }));
  goTo(ctx, PAGE_OF[draft.step]);
}
