import type { Context } from 'koa';
import { z } from 'zod';
import { mayKeep } from '../people/lifecycle/closures.ts';
import { Fault } from '../shared/fault.ts';
import { isForeignPost } from '../web/form-tokens.ts';
import { readForm } from '../web/forms.ts';
import type { CeremonyRequest } from './interactions.ts';
import { frame, goOn, localesOf, originOf, requestOf, type SignInSources } from './step.ts';

const KEEP = z.strictObject({
  form_token: z.string().max(128),
  person: z.string().regex(/^psn_[\w-]{1,64}$/),
});

/** A token of this form is given to whoever has just proven to be this person, in this browser, for this sign-in. */
const purposeOf = (uid: string, personId: string): string => `keep ${uid} ${personId}`;

/** The one page that signing in leads to while an account is being closed. No session begins, and no portal is entered. */
export async function showClosing(
  ctx: Context,
  request: CeremonyRequest,
  sources: SignInSources,
  personId: string,
): Promise<void> {
  const closure = await sources.closures.of(personId);
  if (closure === undefined) throw new Fault('ceremony_expired', 'the account is not being closed any more');
  const { portal, formToken } = await frame(ctx, request, sources);
  const { formTokens, renderer } = sources;
  renderer.page(
    ctx,
    'account-closing',
    {
      action: `/interaction/${request.uid}/keep`,
      formToken: formTokens.issue(formTokens.browserOf(ctx), purposeOf(request.uid, personId)),
      person: personId,
      dueAt: closure.dueAt,
      mayKeep: mayKeep(closure),
      portal,
      cancelAction: `/interaction/${request.uid}/cancel`,
      cancelToken: formToken,
    },
    localesOf(request),
  );
}

/** The person keeps the account, and signs in then as ever. */
export async function postKeep(ctx: Context, sources: SignInSources): Promise<void> {
  const request = await requestOf(ctx, sources);
  const { formTokens, origin, closures } = sources;
  if (isForeignPost(ctx.headers, origin)) throw new Fault('foreign_origin');
  const form = await readForm(ctx.req, KEEP);
  if (form.state === 'too_large') throw new Fault('body_too_large');
  if (form.state !== 'read') throw new Fault('malformed_request');
  const { form_token: token, person } = form.values;
  if (!formTokens.accepts(token, formTokens.knownBrowserOf(ctx), purposeOf(request.uid, person))) {
    throw new Fault('form_token_refused');
  }
  const { clientId: _portal, ...visit } = originOf(ctx, request);
  if ((await closures.keep(person, { ...visit, origin: 'sign-in' })) === 'late') throw new Fault('closure_late');
  sources.wakeOutbox();
  goOn(ctx, `/interaction/${request.uid}?kept=1`);
}
