import type { Context } from 'koa';
import type { Grant, Interaction, KoaContextWithOIDC, Session } from 'oidc-provider';
import type { AuthorizationEndpointSources } from './authorization-endpoint.ts';
import { mayAsk, promptedParameters } from './authorization-request.ts';
import { type Answerable, issueCode } from './code-issue.ts';
import { sendToPortal } from './portal-address.ts';
import { begin, firstMissing, type Missing, sendToPage, type Waiting } from './prompting.ts';
import { limitsOf, sessionCookie, sessionSeconds } from './provider.ts';
import { shortCookie, signedCookie } from './session-cookies.ts';
import { createShownSessions, newSession } from './shown-session.ts';
import { currentUnit } from './unit-of-work.ts';

/** Goes on with an authorization request whose interaction has just been answered. False for one that is the library's to go on with. */
export type Resumption = (ctx: Context, answered: Interaction) => Promise<boolean>;

type Asked = Pick<Answerable, 'client' | 'parameters' | 'pushed'>;

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
  const { provider, config, cookieKeys, findAccount, loadExistingGrant, policy } = sources;
  const shownSessions = createShownSessions(sources);
  const secure = config.issuer.startsWith('https:');
  const sessionName = provider.cookieName('session');

  const askedBefore = async ({ params, trusted, deviceCode, parJti }: Interaction): Promise<Asked | undefined> => {
    const parameters = deviceCode === undefined && !trusted?.length ? promptedParameters(params) : undefined;
    const client = parameters && (await provider.Client.find(parameters.client_id));
    if (client === undefined || !mayAsk(client, parameters!, parJti === undefined ? 'sent' : 'pushed'))
      return undefined;
    const pushed = parJti && (await provider.PushedAuthorizationRequest.find(parJti, { ignoreExpiration: true }));
    // One that was pushed and is gone, or that another window has used up, is for the library to speak of.
    if (parJti !== undefined && (!pushed || pushed.consumed)) return undefined;
    return { client, parameters: parameters!, ...(pushed ? { pushed } : {}) };
  };

  /** The session the interaction belongs to, or a new one in a browser that has shown none. */
  const sessionFor = async (ctx: Context, { session: origin, result }: Interaction): Promise<Session | undefined> => {
    const shown = await shownSessions.of(ctx);
    if (shown === undefined) {
      const isNew = origin?.uid === undefined && shownSessions.isStrange(ctx);
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

  const contextOf = (ctx: Context, asked: Asked, session: Session, answered: Interaction): KoaContextWithOIDC => {
    const { client, parameters, pushed } = asked;
    const request: KoaContextWithOIDC = Object.create(ctx, { _matchedRouteName: { value: 'resume' } });
    const oidc = new provider.OIDCContext(request as unknown as Context);
    const { result } = answered;
    const known = { params: { ...parameters }, session, trusted: [], redirectUriCheckPerformed: true, result };
    Object.assign(request, { oidc: Object.assign(oidc, known) });
    oidc.entity('Session', session);
    oidc.entity('Interaction', answered);
    oidc.entity('Client', client);
    if (pushed !== undefined) oidc.entity('PushedAuthorizationRequest', pushed);
    return request;
  };

  /** Whose request it is, and what they have granted; undefined for an account that is not there any more. */
  const load = async (request: KoaContextWithOIDC, session: Session, { client }: Asked): Promise<Grant | undefined> => {
    const { oidc } = request;
    const account = await findAccount(session.accountId!, client, () => oidc.entities.Grant);
    if (account === undefined) throw new Error('the account of a request that is taken up again is gone');
    oidc.entity('Account', account);
    const { accountId } = account;
    const { clientId } = client;
    const existing = await loadExistingGrant(request);
    if (existing !== undefined) {
      if (existing.accountId !== accountId || existing.clientId !== clientId) throw new Error('a grant of others');
      session.ensureClientContainer(clientId);
      session.grantIdFor(clientId, existing.jti);
    }
    oidc.entity('Grant', existing ?? new provider.Grant({ accountId, clientId }));
    return existing;
  };

  const resume = async (ctx: Context, answered: Interaction): Promise<Resumed | undefined> => {
    if (answered.result === undefined || 'error' in answered.result) return undefined;
    const asked = await askedBefore(answered);
    const session = asked && (await sessionFor(ctx, answered));
    if (session === undefined) return undefined;
    const isNew = session.accountId === undefined;
    await answered.destroy();
    signIn(session, answered, isNew);
    const request = contextOf(ctx, asked!, session, answered);
    const grant = await load(request, session, asked!);
    return { ...asked!, answered, session, request, grant };
  };

  /** Writes the session and gives its cookies, as the library sets them at every answer. */
  const keepSession = async (session: Session): Promise<readonly string[]> => {
    await session.save(sessionSeconds(limitsOf(session, config), session.loginTs));
    const { path, sameSite } = sessionCookie(secure);
    const end = session.transient === true ? '' : `; expires=${new Date(session.exp * 1000).toUTCString()}`;
    const attributes = `; path=${path}; samesite=${sameSite}${secure ? '; secure' : ''}; httponly${end}`;
    return signedCookie(cookieKeys, sessionName, session.jti, attributes);
  };

  const takenBack = ({ uid }: Interaction): readonly string[] =>
    signedCookie(
      cookieKeys,
      provider.cookieName('resume'),
      '',
      shortCookie(provider.pathFor('resume', { uid }), { secure, endsAtMs: undefined }),
    );

  const goOn = async (ctx: Context, resumed: Resumed, missing: Missing | undefined): Promise<boolean> => {
    const { request, parameters, session, grant, answered, pushed } = resumed;
    const answer =
      missing === undefined
        ? grant && { code: await issueCode(sources, { ...resumed, grant }) }
        : await begin(sources, {
            ...{ request, session, missing, parameters, before: answered, pushedAs: pushed?.jti },
            grant: request.oidc.entities.Grant,
          } satisfies Waiting);
    if (answer === undefined || ('code' in answer && answer.code === undefined)) return false;
    const begun = 'uid' in answer ? answer : undefined;
    const cookies = [...takenBack(answered), ...(begun?.cookies ?? []), ...(await keepSession(session))];
    if (begun !== undefined) sendToPage(ctx, begun.uid);
    else {
      const { code } = answer as { readonly code: string };
      sendToPortal(ctx, parameters.redirect_uri, { code, state: parameters.state, iss: provider.issuer });
    }
    // From here on nothing can be thrown: the library would find half an answer.
    ctx.set('cache-control', 'no-store');
    ctx.append('set-cookie', cookies);
    // Whoever reads a finished request finds it where the library leaves it (commit.ts, evidence.ts).
    Object.assign(ctx, { oidc: request.oidc });
    return true;
  };

  return async (ctx, answered) => {
    const unit = currentUnit();
    if (unit === undefined) return false;
    const turnBack = unit.mark();
    try {
      const resumed = await resume(ctx, answered);
      if (resumed !== undefined && (await goOn(ctx, resumed, await firstMissing(policy, resumed.request)))) return true;
    } catch {
      // A refusal is the library's to speak; what broke here breaks there once more, where it is answered and reported.
    }
    turnBack();
    return false;
  };
}
