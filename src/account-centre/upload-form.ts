import type { Context } from 'koa';
import type { z } from 'zod';
import { Fault } from '../shared/fault.ts';
import { isForeignPost } from '../web/form-tokens.ts';
import { readUpload, type UploadedFile, type UploadLimits } from '../web/multipart.ts';
import { ACCOUNT_PURPOSE, goTo } from './account-form.ts';
import type { AccountCentreSources } from './doors.ts';
import { isFresh, proofAddress } from './fresh-proof.ts';
import type { SignedIn } from './proving.ts';

/** Uploads this process reads at once: each holds its files in memory until they are sealed. */
const AT_ONCE_MAX = 4;
const RETRY_SECONDS = 5;
let underWay = 0;

export type UploadForm<Values> =
  | {
      readonly state: 'read';
      readonly values: Values;
      readonly files: readonly UploadedFile[];
      readonly person: SignedIn;
    }
  /** More or larger files than allowed; what was typed is lost with them. */
  | { readonly state: 'too_large'; readonly person: SignedIn };

/**
 * A form with files, as `provenForm` reads one without. Who sends it and how fresh their proof is are asked before a byte of it is
 * read; files cannot be kept while somebody proves again, so they choose them anew, and the result is undefined.
 */
export async function uploadForm<Values extends { form_token: string }>(
  ctx: Context,
  schema: z.ZodType<Values>,
  limits: UploadLimits,
  sources: AccountCentreSources,
): Promise<UploadForm<Values> | undefined> {
  const { doors, formTokens, origin } = sources;
  if (isForeignPost(ctx.headers, origin)) throw new Fault('foreign_origin');
  const person = await doors.currentPerson(ctx);
  if (!person) throw new Fault('ceremony_expired');
  if (!isFresh(person)) {
    goTo(ctx, proofAddress(ctx.path));
    return undefined;
  }
  if (underWay >= AT_ONCE_MAX) throw new Fault('overloaded', undefined, { retryAfterSeconds: RETRY_SECONDS });
  underWay += 1;
  const upload = await readUpload(ctx.req, schema, limits).finally(() => {
    underWay -= 1;
  });
  if (upload.state === 'too_large') return { state: 'too_large', person };
  if (upload.state !== 'read') throw new Fault('malformed_request');
  if (!formTokens.accepts(upload.values.form_token, formTokens.knownBrowserOf(ctx), ACCOUNT_PURPOSE)) {
    throw new Fault('form_token_refused');
  }
  return { ...upload, person };
}
