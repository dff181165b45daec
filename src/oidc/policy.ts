import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';

const { Check, Prompt, base } = interactionPolicy;

/** The assurance a sign-in with one factor reaches; higher levels come with the second factors. */
export const ACR_ONE_FACTOR = 'urn:tongban:acr:1';
export const ACR_VALUES = [ACR_ONE_FACTOR];

interface AcrRequest {
  readonly essential?: boolean;
  readonly value?: unknown;
  readonly values?: unknown;
}

/**
 * The prompts of an authorization request, in the order a citizen meets them. Ours differs from the library's base in this:
 * - an essential acr out of reach is refused at once, never answered with a lower one and never asked for in a circle (C5);
 * - `prompt=select_account` shows who is signed in and lets them choose.
 */
export function promptPolicy(): interactionPolicy.DefaultPolicy {
  const prompts = base();
  const login = prompts.get('login');
  if (!login) throw new Error('the protocol library no longer has a login prompt');
  login.checks.remove('essential_acr');
  login.checks.remove('essential_acrs');
  login.checks.add(
    new Check('unreachable_acr', 'the requested authentication context cannot be reached', (ctx) => {
      refuseUnreachableAcr(ctx);
      return Check.NO_NEED_TO_PROMPT;
    }),
    0,
  );
  prompts.add(new Prompt({ name: 'select_account', requestable: true }), 0);
  return prompts;
}

/** Throws `unmet_authentication_requirements` when an essential `acr` names only levels we cannot reach. */
function refuseUnreachableAcr(ctx: KoaContextWithOIDC): void {
  const wanted = (ctx.oidc.claims.id_token?.acr ?? {}) as AcrRequest;
  if (wanted.essential !== true) return;
  if (wanted.values !== undefined && !Array.isArray(wanted.values)) {
    throw new errors.InvalidRequest('invalid claims.id_token.acr.values type');
  }
  const acceptable = wanted.values ?? (wanted.value === undefined ? undefined : [wanted.value]);
  if (acceptable && !acceptable.some((acr) => ACR_VALUES.includes(acr as string))) {
    throw new errors.UnmetAuthenticationRequirements('the requested authentication context cannot be reached');
  }
}
