import type { Context } from 'koa';
import { z } from 'zod';
import { ASSERTION_FIELDS } from '../factors/passkeys/passkey-form.ts';
import type { Passkeys } from '../factors/passkeys/passkeys.ts';
import type { ChallengeBinding } from '../factors/signed-challenges.ts';
import type { FormTokens } from '../web/form-tokens.ts';
import type { PasskeyView } from '../web/pages.ts';
import type { PasskeyOutcome } from './identify-passkey.ts';
import type { CeremonyRequest } from './interactions.ts';
import { AT_ONCE, formOf, type SignInSources } from './step.ts';

const FORM = z.strictObject({ form_token: z.string().max(128), ...AT_ONCE, ...ASSERTION_FIELDS });

/** What a passkey is asked for on the sign-in page: this waiting request, in this browser. */
const boundOf = (uid: string, browser: string): ChallengeBinding => ({ purpose: 'sign-in', binding: uid, browser });

/** The form by which somebody signs in with a passkey. It is the same for everybody, whoever was here before (D9). */
export function passkeyView(
  ctx: Context,
  { uid }: CeremonyRequest,
  { passkeys, formTokens }: { readonly passkeys: Passkeys; readonly formTokens: FormTokens },
): PasskeyView {
  return {
    action: `/interaction/${uid}/passkey`,
    options: passkeys.signInOptions(boundOf(uid, formTokens.browserOf(ctx))),
  };
}

/** Takes what a device has signed. */
export async function provePasskey(
  ctx: Context,
  { uid, clientId }: CeremonyRequest,
  sources: SignInSources,
): Promise<PasskeyOutcome> {
  const { form_token: _token, at_once: atOnce, ...assertion } = await formOf(ctx, FORM, sources);
  ctx.state.showsNext = atOnce !== undefined;
  const bound = boundOf(uid, sources.formTokens.browserOf(ctx));
  return sources.identifyPasskey.withPasskey(ctx, { assertion, bound, clientId });
}
