import type { Context } from 'koa';
import type { z } from 'zod';
import { Fault } from '../shared/fault.ts';
import { type FormTokens, isForeignPost } from '../web/form-tokens.ts';
import { readForm } from '../web/forms.ts';
import type { PageContext } from '../web/render.ts';

/**
 * Reads a form of somebody who is not signed in: from our own page, shown to this browser for `purpose` (E2). Resolves with the
 * fields and the random name of the browser. Throws the fault that fits when it is not.
 */
export async function strangerForm<Values extends { form_token: string }>(
  ctx: Context,
  schema: z.ZodType<Values>,
  purpose: string,
  { formTokens, origin }: { readonly formTokens: FormTokens; readonly origin: string },
): Promise<{ readonly values: Values; readonly browser: string }> {
  if (isForeignPost(ctx.headers, origin)) throw new Fault('foreign_origin');
  const form = await readForm(ctx.req, schema);
  if (form.state === 'too_large') throw new Fault('body_too_large');
  if (form.state !== 'read') throw new Fault('malformed_request');
  const browser = formTokens.knownBrowserOf(ctx);
  if (browser === undefined || !formTokens.accepts(form.values.form_token, browser, purpose)) {
    throw new Fault('form_token_refused');
  }
  return { values: form.values, browser };
}

/**
 * The context of a POST, as the page it was sent from stands at its own address. The links to another language or type size are
 * followed by GET, so they must carry what the POST had in its body.
 */
export const atAddress = (ctx: Context, path: string, query: Readonly<Record<string, string>> = {}): PageContext => ({
  method: 'GET',
  path,
  querystring: new URLSearchParams(query).toString(),
  get: (field) => ctx.get(field),
  append: (field, value) => ctx.append(field, value),
  set: (field, value) => ctx.set(field, value),
  get status() {
    return ctx.status;
  },
  set status(status) {
    ctx.status = status;
  },
  get body() {
    return ctx.body;
  },
  set body(body) {
    ctx.body = body;
  },
});
