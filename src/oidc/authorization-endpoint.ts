import type { Context } from 'koa';
import type {
  Client,
  Configuration,
  Grant,
  interactionPolicy,
  KoaContextWithOIDC,
  PushedAuthorizationRequest,
  Session,
} from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import type { CookieKeys } from '../crypto/cookie-keys.ts';
import type { FindAccount } from './accounts.ts';
import {
  mayAsk,
  type Parameters,
  type PushedReference,
  plainParameters,
  promptedParameters,
  pushedParameters,
  pushedReference,
} from './authorization-request.ts';
import { type CodeSources, issueCode } from './code-issue.ts';
import { sendToPortal } from './portal-address.ts';
import { begin, firstMissing, sendToPage } from './prompting.ts';
import type { ShortWay } from './short-way.ts';
import { createShownSessions, newSession, type ShownSession, type ShownSessionSources } from './shown-session.ts';
import { currentUnit } from './unit-of-work.ts';

/** Everything but the cookie keys is what the library itself was given: it asks the same of every request. */
export interface AuthorizationEndpointSources extends ShownSessionSources, CodeSources {
  readonly cookieKeys: Pick<CookieKeys, 'index' | 'sign'>;
  readonly findAccount: FindAccount;
  readonly loadExistingGrant: NonNullable<Configuration['loadExistingGrant']>;
  readonly policy: readonly interactionPolicy.Prompt[];
  readonly config: Pick<Config, 'issuer' | 'session' | 'staff' | 'ttl'>;
  /** Told who is here and where they go, before anything of it is looked up. */
  readonly lookAhead: (personId: string, clientId: string, grantId: string | undefined) => void;
}

/** A plain request, and whose it is. */
interface Asked {
  readonly client: Client;
  readonly parameters: Parameters;
  /** As what it was pushed. */
  readonly pushed?: PushedAuthorizationRequest;
}

/** A plain request of somebody who is signed in, with what was granted before. */
interface Judged extends Asked {
  readonly shown: ShownSession;
  readonly grant: Grant;
  /** As the library would show it to the checks of its prompts. */
  readonly request: KoaContextWithOIDC;
}

/**
 * The short way of the authorization endpoint (RFC 6749 4.1.1): somebody who is signed in opens a portal and there is nothing to ask, or somebody whom
 * this browser does not know is to be asked who they are.
 * Which requests are plain is said by authorization-request.ts. What concerns the person is asked of the very functions the library
 * asks: account, grant, and each check of each prompt in its order, on a context of the library's own class. Session and pushed request are
 * of its classes too, the code is kept as it keeps one, and the ledger is told by what reads every finished request (evidence.ts). As soon as a check finds
 * something missing, or anything is thrown, whatever was gathered is dropped and the library begins anew.
 */
export function createAuthorizationEndpoint(sources: AuthorizationEndpointSources): ShortWay {
  const { provider, findAccount, loadExistingGrant, policy } = sources;
  const sessions = createShownSessions(sources);

  const pushedBefore = async ({ clientId, id }: PushedReference): Promise<Asked | undefined> => {
    const client = await provider.Client.find(clientId);
    const pushed = client && (await provider.PushedAuthorizationRequest.find(id, { ignoreExpiration: true }));
    if (client === undefined || !pushed?.isValid) return undefined;
    if (pushed.dpopJkt !== undefined || pushed.attestationJkt !== undefined) return undefined;
    const parameters = pushedParameters(pushed.request, client, provider.issuer);
    return parameters && mayAsk(client, parameters, 'pushed') ? { client, parameters, pushed } : undefined;
  };

  const asked = async (said: Readonly<Record<string, unknown>>): Promise<Asked | undefined> => {
    const reference = pushedReference(said);
    if (reference !== undefined) return pushedBefore(reference);
    const parameters = plainParameters(said);
    const client = parameters && (await provider.Client.find(parameters.client_id));
    return client && mayAsk(client, parameters, 'sent') ? { client, parameters } : undefined;
  };

  const contextOf = (ctx: Context, { client, parameters }: Asked, session: Session): KoaContextWithOIDC => {
    const request: KoaContextWithOIDC = Object.create(ctx, { _matchedRouteName: { value: 'authorization' } });
    const oidc = new provider.OIDCContext(request as unknown as Context);
    Object.assign(request, { oidc: Object.assign(oidc, { params: { ...parameters }, session }) });
    oidc.entity('Session', session);
    oidc.entity('Client', client);
    return request;
  };

  const judge = async (ctx: Context, shown: ShownSession, plain: Asked): Promise<Judged | undefined> => {
    const { client, parameters, pushed } = plain;
    const { session, personId } = shown;
    const request = contextOf(ctx, { client, parameters }, session);
    const { oidc } = request;
    sources.lookAhead(personId, client.clientId, session.authorizations?.[client.clientId]?.grantId);
    if (pushed !== undefined) oidc.entity('PushedAuthorizationRequest', pushed);
    const account = await findAccount(personId, client, () => oidc.entities.Grant);
    if (account === undefined) return undefined;
    oidc.entity('Account', account);
    const grant = await loadExistingGrant(request);
    if (grant?.accountId !== personId || grant.clientId !== client.clientId) return undefined;
    session.ensureClientContainer(client.clientId);
    session.grantIdFor(client.clientId, grant.jti);
    oidc.entity('Grant', grant);
    return (await isMissingNothing(policy, request)) ? { ...plain, shown, grant, request } : undefined;
  };

  /** Somebody opens a portal in a browser that has shown no session: the request waits for what they are to be asked first. */
  const askStranger = async (ctx: Context): Promise<boolean> => {
    const parameters = promptedParameters(ctx.query);
    const client = parameters && (await provider.Client.find(parameters.client_id));
    if (client === undefined || !mayAsk(client, parameters!, 'sent')) return false;
    const session = newSession(provider);
    const request = contextOf(ctx, { client, parameters: parameters! }, session);
    const missing = await firstMissing(policy, request);
    if (missing === undefined) return false;
    const waiting = { request, session, missing, parameters: parameters!, grant: undefined, before: undefined };
    const { uid, cookies } = await begin(sources, { ...waiting, pushedAs: undefined });
    sendToPage(ctx, uid);
    answered(ctx, request, cookies);
    return true;
  };

  const open = async (ctx: Context): Promise<boolean> => {
    if (sessions.isStrange(ctx)) return askStranger(ctx);
    const shown = await sessions.of(ctx);
    const plain = shown && (await asked(ctx.query));
    const judged = plain && (await judge(ctx, shown, plain));
    const code = judged && (await issueCode(sources, { ...judged, session: judged.shown.session }));
    if (code === undefined) return false;
    const { parameters, request } = judged!;
    const cookies = await sessions.keep(shown!);
    sendToPortal(ctx, parameters.redirect_uri, { code, state: parameters.state, iss: provider.issuer });
    answered(ctx, request, cookies);
    return true;
  };

  /** From here on nothing can be thrown: the library would find half an answer. */
  const answered = (ctx: Context, request: KoaContextWithOIDC, cookies: readonly string[]): void => {
    ctx.state.page = 'authorization';
    ctx.set('cache-control', 'no-store');
    ctx.append('set-cookie', [...cookies]);
    // Whoever reads a finished request finds it where the library leaves it (commit.ts, evidence.ts).
    Object.assign(ctx, { oidc: request.oidc });
  };

  return async (ctx) => {
    const unit = currentUnit();
    if (ctx.method !== 'GET' || unit === undefined) return false;
    try {
      if (await open(ctx)) return true;
    } catch {
      // A refusal is the library's to speak; what broke here breaks there once more, where it is answered and reported.
    }
    unit.forget();
    return false;
  };
}

/** Asks the checks of all prompts as the library does, but one after the other: the first that finds something is enough. */
async function isMissingNothing(
  policy: readonly interactionPolicy.Prompt[],
  request: KoaContextWithOIDC,
): Promise<boolean> {
  for (const { checks } of policy) {
    for (const { check } of checks) {
      const isMissing = check(request);
      if ((typeof isMissing === 'boolean' ? isMissing : await isMissing) !== false) return false;
    }
  }
  return true;
}
