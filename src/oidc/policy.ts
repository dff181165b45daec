import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { CLAIMS_BY_SCOPE } from '../people/claims.ts';
import { ACR_VALUES, essentialAcrs } from './acr-levels.ts';
import { ACTING_CLAIMS } from './acting-claims.ts';
import type { Subjects } from './subjects.ts';

const { Check, Prompt, base } = interactionPolicy;

/**
 * The prompts of an authorization request, in the order a citizen meets them. Ours differs from the library's base in this:
 * - an essential acr out of reach is refused at once, never answered with a lower one and never asked for in a circle (C5);
 * - `prompt=select_account` shows who is signed in and lets them choose;
 * - between login and consent the person says for whom they act, where the portal accepts more than people on their own behalf;
 * - the claims parameter opens nothing that the portal may not ask for by scope (F6).
 */
export function promptPolicy(
  subjects: Pick<Subjects, 'choiceOf' | 'markFor' | 'postponed'>,
): interactionPolicy.DefaultPolicy {
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
  prompts.add(chooseSubject(subjects), prompts.indexOf(login) + 1);
  const consent = prompts.get('consent');
  if (!consent) throw new Error('the protocol library no longer has a consent prompt');
  // The page says for whom; what is granted there is granted for them.
  consent.details = (ctx) => ({ acting: subjects.markFor(ctx) });
  for (const prompt of prompts) {
    const { details } = prompt;
    // Asked for as soon as something is missing, before a page is shown or `prompt=none` is answered.
    prompt.details = (ctx) => {
      subjects.postponed(ctx);
      return details(ctx);
    };
  }
  return prompts;
}

/** Asks for whom a person acts when there is more than one answer, and refuses when there is none. */
function chooseSubject(subjects: Pick<Subjects, 'choiceOf'>): interactionPolicy.Prompt {
  const found = async (ctx: KoaContextWithOIDC, state: 'open' | 'nobody'): Promise<boolean> =>
    (await subjects.choiceOf(ctx))?.state === state;
  return new Prompt(
    { name: 'choose_subject', requestable: false },
    new Check('subject_open', 'the person must choose for whom they act', 'interaction_required', (ctx) =>
      found(ctx, 'open'),
    ),
    new Check('nobody_to_act_for', 'there is nobody the person may act for at this client', 'access_denied', (ctx) =>
      found(ctx, 'nobody'),
    ),
  );
}

const PERSONAL_CLAIMS: ReadonlySet<string> = new Set(Object.values(CLAIMS_BY_SCOPE).flat());

const isActingClaim = (name: string): boolean => (ACTING_CLAIMS as readonly string[]).includes(name);

/** Without error, as OpenID Connect Core 5.5.1 wants it even for essential claims: they are simply not there. */
function withholdClaims({ oidc }: KoaContextWithOIDC): void {
  if (oidc.params?.claims === undefined) return;
  const scopes = new Set(oidc.client?.scope?.split(' '));
  const open = new Set<string>(
    Object.entries(CLAIMS_BY_SCOPE).flatMap(([scope, claims]) => (scopes.has(scope) ? claims : [])),
  );
  let withheld = false;
  for (const wanted of [oidc.claims.id_token, oidc.claims.userinfo]) {
    for (const name of Object.keys(wanted ?? {})) {
      // For whom a person acts is part of `openid`: a portal gets it without asking, and nobody is asked again.
      if (!isActingClaim(name) && (!PERSONAL_CLAIMS.has(name) || open.has(name))) continue;
      delete wanted?.[name];
      withheld = true;
    }
  }
  if (withheld && oidc.params) oidc.params.claims = JSON.stringify(oidc.claims);
}

/** Throws `unmet_authentication_requirements` when an essential `acr` names only levels we cannot reach. */
function refuseUnreachableAcr(ctx: KoaContextWithOIDC): void {
  const acceptable = essentialAcrs(ctx);
  if (acceptable && !acceptable.some((acr) => ACR_VALUES.includes(acr as string))) {
    throw new errors.UnmetAuthenticationRequirements('the requested authentication context cannot be reached');
  }
}
