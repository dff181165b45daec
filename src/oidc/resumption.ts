import type { Context } from 'koa';
import type { Grant, Interaction, KoaContextWithOIDC, Session } from 'oidc-provider';
import type { AuthorizationEndpointSources } from './authorization-endpoint.ts';
import { mayAsk, promptedParameters } from './authorization-request.ts';
import { issueCode } from './code-issue.ts';
import { sendToPortal } from './portal-address.ts';
import { begin, firstMissing, type Missing, sendToPage } from './prompting.ts';
import { type Asked, answerShown, contextOf, loadGrant } from './request-context.ts';
import { shortCookie, signedCookie } from './session-cookies.ts';
import { createShownSessions, newSession } from './shown-session.ts';
import { currentUnit } from './unit-of-work.ts';

/** Goes on with an authorization request whose interaction has just been answered. False for one that is the library's to go on with. */
export type Resumption = (ctx: Context, answered: Interaction) => Promise<boolean>;

interface Resumed extends Asked {
  readonly answered: Interaction;
  readonly session: Session;
  readonly request: KoaContextWithOIDC;
  readonly grant: Grant | undefined;
}

/**
 * The short way on from a page of ours (going-on.ts): the answer to a plain request is taken up, and the person is sent to the next page or, with a code, to
 * the portal. What the library asks is asked in its order, by the functions it asks, on contexts and models of its classes; what it writes is
 * written through the same adapters. Whatever is not plain, and whatever throws, is the library's, which begins anew as if nothing had happened:
 * another person's session, a session that has ended meanwhile, a refusal, access in absence.
 */
export function createResumption(sources: AuthorizationEndpointSources): Resumption {
  const { provider, config, cookieKeys, policy } = sources;
  const sessions = createShownSessions(sources);
  const secure = config.issuer.startsWith('https:');

  /** What was pushed or signed is the library's to take up again: it knows which parameters their portal has vouched for. */
  const askedBefore = async (answered: Interaction): Promise<Asked | undefined> => {
    const { params, trusted, deviceCode, parJti } = answered;
    if (trusted?.length || deviceCode !== undefined || parJti !== undefined) return undefined;
    const parameters = promptedParameters(params);
    const client = parameters && (await provider.Client.find(parameters.client_id));
    return client && mayAsk(client, parameters, 'sent') ? { client, parameters } : undefined;
  };

  /** The session the interaction belongs to, or a new one in a browser that has shown none. */
  const sessionFor = async (ctx: Context, { session: origin, result }: Interaction): Promise<Session | undefined> => {
    const shown = await sessions.of(ctx);
    if (shown === undefined) {
      const isNew = origin?.uid === undefined && sessions.isStrange(ctx);
      return isNew && result?.login ? newSession(provider) : undefined;
    }
    if (origin?.uid !== undefined && origin.uid !== shown.session.uid) return undefined;
    const isOther = result?.login !== undefined && result.login.accountId !== shown.personId;
    return isOther ? undefined : shown.session;
  };

  /** Signs in whoever has proven who they are. A session that was there before gets another id at each answer (E1). */
  const signIn = (session: Session, { result }: Interaction, isNew: boolean): void => {
    if (result?.login) {
      const { remember = true, accountId, ts: loginTs, amr, acr } = result.login;
      session.loginAccount({ accountId, loginTs, amr, acr, transient: !remember });
    }
    if (!isNew) session.resetIdentifier();
  };

  const resume = async (ctx: Context, answered: Interaction): Promise<Resumed | undefined> => {
    if (answered.result === undefined || 'error' in answered.result) return undefined;
    const asked = await askedBefore(answered);
    const session = asked && (await sessionFor(ctx, answered));
    if (session === undefined) return undefined;
    const isNew = session.accountId === undefined;
    await answered.destroy();
    signIn(session, answered, isNew);
    const request = contextOf(provider, ctx, asked!, { session, answered });
    const { client } = asked!;
    const grant = await loadGrant(sources, request, { client, personId: session.accountId! });
    return { ...asked!, answered, session, request, grant };
  };

  const takenBack = ({ uid }: Interaction): readonly string[] =>
    signedCookie(
      cookieKeys,
      provider.cookieName('resume'),
      '',
      shortCookie(provider.pathFor('resume', { uid }), { secure, endsAtMs: undefined }),
    );

  /** To the page of what is missing. */
  const ask = async (ctx: Context, resumed: Resumed, missing: Missing): Promise<true> => {
    const { request, parameters, session, answered } = resumed;
    const { Grant: grant } = request.oidc.entities;
    const waiting = { request, session, missing, parameters, grant, before: answered };
    const { uid, cookies } = await begin(sources, waiting);
    const all = [...takenBack(answered), ...cookies, ...(await sessions.keep(session))];
    sendToPage(ctx, uid);
    answerShown(ctx, request, all);
    return true;
  };

  /** To the portal, with a code. */
  const admit = async (ctx: Context, { grant, ...resumed }: Resumed): Promise<boolean> => {
    const { request, parameters, session, answered } = resumed;
    const code = grant && (await issueCode(sources, { ...resumed, grant }));
    if (code === undefined) return false;
    const cookies = [...takenBack(answered), ...(await sessions.keep(session))];
    sendToPortal(ctx, parameters.redirect_uri, { code, state: parameters.state, iss: provider.issuer });
    answerShown(ctx, request, cookies);
    return true;
  };

  const goOn = async (ctx: Context, answered: Interaction): Promise<boolean> => {
    const resumed = await resume(ctx, answered);
    if (resumed === undefined) return false;
    const missing = await firstMissing(policy, resumed.request);
    return missing === undefined ? admit(ctx, resumed) : ask(ctx, resumed, missing);
  };

  return async (ctx, answered) => {
    const unit = currentUnit();
    if (unit === undefined) return false;
    const turnBack = unit.mark();
    try {
      if (await goOn(ctx, answered)) return true;
    } catch {
      // A refusal is the library's to speak; what broke here breaks there once more, where it is answered and reported.
    }
    turnBack();
    return false;
  };
}
