import type { Context } from 'koa';
import type { Grant, interactionPolicy, KoaContextWithOIDC } from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import {
  mayAsk,
  type PushedReference,
  plainParameters,
  promptedParameters,
  pushedParameters,
  pushedReference,
} from './authorization-request.ts';
import { type CodeSources, issueCode } from './code-issue.ts';
import { sendToPortal } from './portal-address.ts';
import { begin, firstMissing, sendToPage } from './prompting.ts';
import { type Asked, answerShown, contextOf, loadGrant, type RequestSources } from './request-context.ts';
import type { ShortWay } from './short-way.ts';
import { createShownSessions, newSession, type ShownSession, type ShownSessionSources } from './shown-session.ts';
import { currentUnit } from './unit-of-work.ts';

/** Everything but the cookie keys is what the library itself was given: it asks the same of every request. */
export interface AuthorizationEndpointSources extends ShownSessionSources, CodeSources, RequestSources {
  readonly policy: readonly interactionPolicy.Prompt[];
  readonly config: Pick<Config, 'issuer' | 'session' | 'staff' | 'ttl'>;
  /** Told who is here and where they go, before anything of it is looked up. */
  readonly lookAhead: (personId: string, clientId: string, grantId: string | undefined) => void;
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
  const { provider, policy } = sources;
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

  const judge = async (ctx: Context, shown: ShownSession, plain: Asked): Promise<Judged | undefined> => {
    const { client } = plain;
    const { session, personId } = shown;
    const request = contextOf(provider, ctx, plain, { session });
    sources.lookAhead(personId, client.clientId, session.authorizations?.[client.clientId]?.grantId);
    const grant = await loadGrant(sources, request, { client, personId });
    if (grant === undefined || (await firstMissing(policy, request)) !== undefined) return undefined;
    return { ...plain, shown, grant, request };
  };

  /** Somebody opens a portal in a browser that has shown no session: the request waits for what they are to be asked first. */
  const askStranger = async (ctx: Context): Promise<boolean> => {
    const parameters = promptedParameters(ctx.query);
    const client = parameters && (await provider.Client.find(parameters.client_id));
    if (client === undefined || !mayAsk(client, parameters!, 'sent')) return false;
    const session = newSession(provider);
    const request = contextOf(provider, ctx, { client, parameters: parameters! }, { session });
    const missing = await firstMissing(policy, request);
    if (missing === undefined) return false;
    const waiting = { request, session, missing, parameters: parameters!, grant: undefined, before: undefined };
    const { uid, cookies } = await begin(sources, waiting);
    sendToPage(ctx, uid);
    leave(ctx, request, cookies);
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
    const cookies = await sessions.keep(shown!.session);
    sendToPortal(ctx, parameters.redirect_uri, { code, state: parameters.state, iss: provider.issuer });
    leave(ctx, request, cookies);
    return true;
  };

  const leave: typeof answerShown = (ctx, request, cookies) => {
    ctx.state.page = 'authorization';
    answerShown(ctx, request, cookies);
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
