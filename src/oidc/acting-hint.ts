import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { z } from 'zod';
import { SELF } from '../legal-persons/choice.ts';
import { parseUscc } from '../legal-persons/uscc.ts';
import { acceptedBy } from './accepted.ts';

const CHARACTERS_MAX = 64;

const HINT = z
  .string()
  .max(CHARACTERS_MAX)
  .transform((text, context): string => {
    if (text === SELF) return text;
    const code = parseUscc(text);
    if (code.ok) return code.uscc;
    context.addIssue({ code: 'custom', message: code.reason });
    return z.NEVER;
  });

/** `acting_as` of a request in its normal form: `self`, or a Unified Social Credit Code; undefined where there is none. */
export function hintOf({ oidc }: KoaContextWithOIDC): string | undefined {
  const parsed = HINT.safeParse(oidc.params?.acting_as);
  return parsed.success ? parsed.data : undefined;
}

/**
 * Checks the parameter `acting_as` as it arrives, pushed requests included. What is refused here is the portal's own mistake: a text
 * that is no code, or a kind of subject it is not registered for. Whether a company exists, or is the person's, is never told.
 */
export function checkActingAs(_ctx: KoaContextWithOIDC, value: string | undefined, client: Client): void {
  if (value === undefined) return;
  const parsed = HINT.safeParse(value);
  if (!parsed.success) throw new errors.InvalidRequest('acting_as must be self or a Unified Social Credit Code');
  const kind = parsed.data === SELF ? 'natural' : 'legal';
  if (!acceptedBy(client).includes(kind)) {
    throw new errors.InvalidRequest(`acting_as names a kind of subject that the client does not accept (${kind})`);
  }
}
