import type { Context } from 'koa';
import { errors, type Interaction, type Provider } from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { CeremonyRequest, Interactions, Login, SignedInPerson } from '../sign-in/interactions.ts';
import type { Transaction } from '../storage/database.ts';
import { type GrantMark, markGrant } from './grant-mark.ts';
import { saveConsent } from './grants.ts';
import { renewSession } from './session-renewal.ts';
import type { PickedSubject } from './subjects.ts';
import { currentUnit } from './unit-of-work.ts';

/** The ceremony's view of an authorization request, over the library's Interaction model. */
export function createInteractions(
  provider: Provider,
  ledger: Ledger,
  config: Pick<Config, 'issuer' | 'session'>,
): Interactions {
  const held = new WeakMap<CeremonyRequest, Interaction>();

  const finish = async (request: CeremonyRequest, result: Interaction['result']): Promise<string> => {
    const interaction = held.get(request);
    if (!interaction) throw new Error('the ceremony request did not come from find()');
    interaction.result = result;
    await interaction.save(interaction.exp - nowSeconds());
    const unit = currentUnit();
    if (unit !== undefined) unit.answered = interaction.uid;
    return interaction.returnTo;
  };

  return {
    async find(ctx, uid) {
      try {
        const interaction = await provider.interactionDetails(ctx.req, ctx.res);
        // The library reads its cookie and never compares it with the address: an address planted by another must not bind (V4).
        if (interaction.uid !== uid) return 'elsewhere';
        const request = toRequest(interaction);
        held.set(request, interaction);
        return request;
      } catch (error) {
        if (!(error instanceof errors.SessionNotFound)) throw error;
        return ctx.cookies.get(provider.cookieName('interaction')) === undefined ? 'elsewhere' : 'expired';
      }
    },
    currentPerson: (ctx) => currentPerson(provider, ctx),
    async signedIn(request, login: Login, write) {
      if (write) currentUnit()?.also(write);
      return finish(request, {
        ...(request.prompt === 'select_account' ? { select_account: {} } : {}),
        login: { accountId: login.personId, acr: login.acr, amr: [...login.amr], remember: true, ts: login.at },
      });
    },
    async provenAgain(ctx, login, write) {
      if (!(await renewSession(provider, ctx, login, config))) return false;
      currentUnit()?.also(write);
      return true;
    },
    async choseSubject(request, personId, actingAs) {
      const { consent: _forAnother, ...submitted } = held.get(request)?.lastSubmission ?? {};
      const picked: PickedSubject = { acting_as: actingAs, account_id: personId, origin: 'page' };
      return finish(request, { ...submitted, choose_subject: picked });
    },
    async chose(request) {
      return finish(request, { ...held.get(request)?.lastSubmission, select_account: {} });
    },
    async consented(request, personId, event, notice) {
      const interaction = held.get(request);
      const existing = interaction?.grantId ? await provider.Grant.find(interaction.grantId) : undefined;
      const grant = existing ?? new provider.Grant({ accountId: personId, clientId: request.clientId });
      const { acting } = (interaction?.prompt.details ?? {}) as { acting?: GrantMark };
      if (acting !== undefined) markGrant(grant, acting);
      if (request.missingScopes.length > 0) grant.addOIDCScope(request.missingScopes.join(' '));
      if (request.missingClaims.length > 0) grant.addOIDCClaims([...request.missingClaims]);
      const grantId = await grant.save();
      const scopes = grant.getOIDCScope().split(' ').filter(Boolean);
      const claims = grant.getOIDCClaims();
      const remember = async (tx: Transaction): Promise<void> => {
        const shown = await saveConsent(tx, personId, { clientId: request.clientId, scopes, claims }, notice);
        await ledger.append(tx, { ...event, details: { ...event.details, noticeHash: shown } });
      };
      currentUnit()?.also(remember);
      const picked: PickedSubject | undefined = acting && {
        acting_as: acting.actingAs,
        account_id: personId,
        origin: acting.origin,
      };
      // What was asked for is consented to for this subject: should it have ended meanwhile, the person is asked and not led on.
      const subject = picked === undefined ? {} : { choose_subject: picked };
      return finish(request, { ...interaction?.lastSubmission, ...subject, consent: { grantId } });
    },
    async refused(request, error, description) {
      return finish(request, { error, error_description: description });
    },
  };
}

async function currentPerson(provider: Provider, ctx: Context): Promise<SignedInPerson | undefined> {
  const session = await provider.Session.get(ctx as unknown as Parameters<typeof provider.Session.get>[0]);
  if (!session.accountId) return undefined;
  return {
    personId: session.accountId,
    sessionUid: session.uid,
    acr: session.acr,
    amr: session.amr ?? [],
    at: session.loginTs ?? nowSeconds(),
    clients: Object.keys(session.authorizations ?? {}),
  };
}

function toRequest(interaction: Interaction): CeremonyRequest {
  const { prompt, params, session } = interaction;
  const text = (name: string): string | undefined => {
    const value = params[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const details = prompt.details as { missingOIDCScope?: string[]; missingOIDCClaims?: string[]; acting?: GrantMark };
  return {
    uid: interaction.uid,
    prompt: prompt.name,
    reasons: prompt.reasons,
    clientId: text('client_id') ?? '',
    redirectUri: text('redirect_uri'),
    loginHint: text('login_hint'),
    uiLocales: text('ui_locales'),
    requestedPrompts: (text('prompt') ?? '').split(' ').filter(Boolean),
    maxAgeSeconds: typeof params.max_age === 'number' ? params.max_age : undefined,
    startedBy: session?.accountId,
    missingScopes: details.missingOIDCScope ?? [],
    missingClaims: details.missingOIDCClaims ?? [],
    actingAs: details.acting?.actingAs,
  };
}
