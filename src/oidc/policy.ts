import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { CLAIMS_BY_SCOPE } from '../people/claims.ts';
import type { Step } from '../sign-in/ceremony.ts';
import { ACTING_CLAIMS } from './acting-claims.ts';
import type { Assurance } from './assurance.ts';
import type { Subjects } from './subjects.ts';

const { Check, Prompt, base } = interactionPolicy;

/**
 * The prompts of an authorization request, in the order a citizen meets them. Ours differs from the library's base in this:
 * - whether a sign-in is enough is asked of `nextStep` alone: age, levels, the portal's minimum, the account's policy (C3, C5); what is
 *   out of reach is refused at once, never answered with a lower level and never asked for in a circle;
 * - `prompt=select_account` shows who is signed in and lets them choose;
 * - between login and consent the person says for whom they act, where the portal accepts more than people on their own behalf;
 * - the claims parameter opens nothing that the portal may not ask for by scope (F6).
 */
export function promptPolicy(
  subjects: Pick<Subjects, 'choiceOf' | 'markFor' | 'postponed'>,
  assurance: Pick<Assurance, 'stepOf'>,
): interactionPolicy.DefaultPolicy {
  const prompts = base();
  const login = prompts.get('login');
  if (!login) throw new Error('the protocol library no longer has a login prompt');
  for (const reason of ['max_age', 'essential_acr', 'essential_acrs']) login.checks.remove(reason);
  for (const check of ladderChecks(assurance)) login.checks.add(check);
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

/** What may be missing of a sign-in, each with the error a portal reads that asks without a page (`prompt=none`). */
function ladderChecks({ stepOf }: Pick<Assurance, 'stepOf'>): readonly interactionPolicy.Check[] {
  const missing = (reason: string, description: string, error: string, state: Step['state']) =>
    new Check(reason, description, error, async (ctx) => {
      const step = await stepOf(ctx);
      if (step.state === 'refuse') {
        throw new errors.UnmetAuthenticationRequirements('the requested authentication context cannot be reached');
      }
      return step.state === state;
    });
  return [
    missing('proof', 'a new proof of identity is required', 'login_required', 'identify'),
    missing('second_factor', 'a second factor is required', 'login_required', 'second_factor'),
    missing('password_age', 'the password must be changed', 'login_required', 'renew_password'),
    missing('identity_level', 'the identity must be proven better', 'interaction_required', 'prove_identity'),
  ];
}
