import type { Context } from 'koa';
import type { Interaction, KoaContextWithOIDC, Provider, Session } from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Demand } from '../sign-in/ceremony.ts';
import type { CeremonyRequest, Interactions, Pending, SignedInPerson } from '../sign-in/interactions.ts';
import { ALLOWED } from '../sign-in/ladder.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { Assurance, ProvenLogin } from './assurance.ts';
import { type GrantMark, markGrant } from './grant-mark.ts';
import { findConsent, saveConsent } from './grants.ts';
import type { LookUpsAhead } from './look-ups-ahead.ts';
import { methodsOf, proofsIn } from './proven-sessions.ts';
import { renewSession } from './session-renewal.ts';
import type { PickedSubject } from './subjects.ts';
import { currentUnit } from './unit-of-work.ts';

/** Reasons for which the session is somebody else's than the portal asked for. */
const OTHER_PERSON_REASONS: readonly string[] = ['id_token_hint', 'claims_id_token_sub_value'];

export interface InteractionSources {
  readonly provider: Provider;
  readonly database: Database;
  readonly ledger: Ledger;
  readonly config: Pick<Config, 'issuer' | 'session' | 'staff'>;
  readonly assurance: Pick<Assurance, 'demandOf'>;
  readonly ahead: Pick<LookUpsAhead, 'proven' | 'consented'>;
}

/** The ceremony's view of an authorization request, over the library's Interaction model. */
export function createInteractions(sources: InteractionSources): Interactions {
  const { provider, database, ledger, config, assurance, ahead } = sources;
  const held = new WeakMap<CeremonyRequest, Interaction>();

  const withResult = (request: CeremonyRequest, result: Interaction['result']): Interaction => {
    const interaction = held.get(request);
    if (!interaction) throw new Error('the ceremony request did not come from find()');
    interaction.result = result;
    return interaction;
  };
  /** Not written: whoever takes the answer up in this very request takes the interaction away with it. */
  const finish = async (request: CeremonyRequest, result: Interaction['result']): Promise<string> => {
    const answered = withResult(request, result);
    const unit = currentUnit();
    if (unit === undefined) throw new Error('an interaction was answered outside of a request');
    unit.answered = answered;
    return answered.returnTo;
  };

  return {
    async find(ctx, uid) {
      const begun = currentUnit()?.begun === uid ? begunIn(ctx) : undefined;
      const shown = begun?.uid ?? ctx.cookies.get(provider.cookieName('interaction'), { signed: true });
      if (shown === undefined) return 'elsewhere';
      const interaction = begun ?? (await live(provider, shown));
      if (interaction === undefined) return 'expired';
      // The cookie must be that of this address: an address planted by another must not bind (V4).
      if (interaction.uid !== uid) return 'elsewhere';
      const client = await provider.Client.find(String(interaction.params.client_id));
      if (client === undefined) return 'expired';
      const request = toRequest(interaction, assurance.demandOf(interaction.params, client));
      held.set(request, interaction);
      return request;
    },
    currentPerson: (ctx) => currentPerson(provider, ctx),
    lookAnew: ({ clientId }, personId) => ahead.proven(personId, clientId),
    async hold(request, pending, write) {
      if (write) currentUnit()?.also(write);
      const interaction = withResult(request, { pending });
      await interaction.save(interaction.exp - nowSeconds());
    },
    async signedIn(request, login, write) {
      if (write) currentUnit()?.also(write);
      const { personId, proofs, at, waived = false } = login;
      return finish(request, {
        ...held.get(request)?.lastSubmission,
        ...(request.prompt === 'select_account' ? { select_account: {} } : {}),
        login: { accountId: personId, amr: methodsOf(proofs), remember: true, ts: at, proofs, waived },
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
      ahead.consented(personId, request.clientId);
      const [before, existing] = await Promise.all([
        findConsent(database, personId, request.clientId),
        interaction?.grantId ? provider.Grant.find(interaction.grantId) : undefined,
      ]);
      const grant = existing ?? new provider.Grant({ accountId: personId, clientId: request.clientId });
      const { acting } = (interaction?.prompt.details ?? {}) as { acting?: GrantMark };
      if (acting !== undefined) markGrant(grant, acting);
      if (request.missingScopes.length > 0) grant.addOIDCScope(request.missingScopes.join(' '));
      if (request.missingClaims.length > 0) grant.addOIDCClaims([...request.missingClaims]);
      const grantId = await grant.save();
      const scopes = grant.getOIDCScope().split(' ').filter(Boolean);
      const claims = grant.getOIDCClaims();
      const given = { clientId: request.clientId, scopes, claims, before };
      const remember = async (tx: Transaction): Promise<void> => {
        const shown = await saveConsent(tx, personId, given, notice);
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

/** An interaction whose session, if it began with one, goes on and is the same person's still: what the library's `interactionDetails` asks. */
async function live(provider: Provider, uid: string): Promise<Interaction | undefined> {
  const interaction = await provider.Interaction.find<Interaction>(uid);
  const origin = interaction?.session;
  if (origin?.uid === undefined) return interaction;
  const session = await provider.Session.findByUid(origin.uid);
  return session !== undefined && session.accountId === origin.accountId ? interaction : undefined;
}

/** What a request that shows its first or next page itself has begun: neither browser nor store know of it yet. */
const begunIn = (ctx: Context): Interaction | undefined =>
  (ctx as unknown as KoaContextWithOIDC).oidc.entities.Interaction;

/** Whose session that is. */
const sessionBegunIn = (ctx: Context): Session | undefined => (ctx as unknown as KoaContextWithOIDC).oidc.session;

async function currentPerson(provider: Provider, ctx: Context): Promise<SignedInPerson | undefined> {
  const begun = currentUnit()?.begun === undefined ? undefined : sessionBegunIn(ctx);
  const session = begun ?? (await provider.Session.get(ctx as unknown as KoaContextWithOIDC));
  if (!session.accountId) return undefined;
  return {
    personId: session.accountId,
    sessionUid: session.uid,
    proofs: proofsIn(session),
    at: session.loginTs ?? nowSeconds(),
    clients: Object.keys(session.authorizations ?? {}),
  };
}

/** What was proven for this request: held while more was asked, or given in a step of it that is done. */
function pendingOf({ result, lastSubmission, prompt }: Interaction): Pending | undefined {
  // What comes after the sign-in belongs to the session that has come of it.
  if (prompt.name !== 'login' && prompt.name !== 'select_account') return undefined;
  const pending = result?.pending as Pending | undefined;
  const login = lastSubmission?.login as ProvenLogin | undefined;
  if (pending !== undefined || login?.proofs === undefined) return pending;
  return { personId: login.accountId, proofs: login.proofs, risk: ALLOWED, waived: login.waived === true };
}

function toRequest(interaction: Interaction, demand: Demand): CeremonyRequest {
  const { prompt, params, session } = interaction;
  const text = (name: string): string | undefined => {
    const value = params[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const details = prompt.details as { missingOIDCScope?: string[]; missingOIDCClaims?: string[]; acting?: GrantMark };
  return {
    uid: interaction.uid,
    prompt: prompt.name,
    expectsOther: prompt.reasons.some((reason) => OTHER_PERSON_REASONS.includes(reason)),
    demand,
    pending: pendingOf(interaction),
    clientId: text('client_id') ?? '',
    redirectUri: text('redirect_uri'),
    loginHint: text('login_hint'),
    uiLocales: text('ui_locales'),
    startedBy: session?.accountId,
    missingScopes: details.missingOIDCScope ?? [],
    missingClaims: details.missingOIDCClaims ?? [],
    actingAs: details.acting?.actingAs,
  };
}
