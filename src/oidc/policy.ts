import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { CLAIMS_BY_SCOPE } from '../people/claims.ts';

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
 * - `prompt=select_account` shows who is signed in and lets them choose;
 * - the claims parameter opens nothing that the portal may not ask for by scope (F6).
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
  const withhold = new Check('claims_out_of_scope', 'claims beyond the scope of the client are withheld', (ctx) => {
    withholdClaims(ctx);
    return Check.NO_NEED_TO_PROMPT;
  });
  // The first check of the first prompt: whatever follows, the consent page too, knows of the remaining claims alone.
  prompts.add(new Prompt({ name: 'select_account', requestable: true }, withhold), 0);
  return prompts;
}

const PERSONAL_CLAIMS: ReadonlySet<string> = new Set(Object.values(CLAIMS_BY_SCOPE).flat());

/** Without error, as OpenID Connect Core 5.5.1 wants it even for essential claims: they are simply not there. */
function withholdClaims({ oidc }: KoaContextWithOIDC): void {
  const scopes = new Set(oidc.client?.scope?.split(' '));
  const open = new Set<string>(
    Object.entries(CLAIMS_BY_SCOPE).flatMap(([scope, claims]) => (scopes.has(scope) ? claims : [])),
  );
  let withheld = false;
  for (const wanted of [oidc.claims.id_token, oidc.claims.userinfo]) {
    for (const name of Object.keys(wanted ?? {})) {
      if (!PERSONAL_CLAIMS.has(name) || open.has(name)) continue;
      delete wanted?.[name];
      withheld = true;
    }
  }
  if (withheld && oidc.params) oidc.params.claims = JSON.stringify(oidc.claims);
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
