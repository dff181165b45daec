import type { Context } from 'koa';
import type {
  Client,
  Configuration,
  Grant,
  Interaction,
  KoaContextWithOIDC,
  Provider,
  PushedAuthorizationRequest,
  Session,
} from 'oidc-provider';
import type { FindAccount } from './accounts.ts';
import type { Parameters } from './authorization-request.ts';

/** A plain request, and whose it is. */
export interface Asked {
  readonly client: Client;
  readonly parameters: Parameters;
  /** As what it was pushed. */
  readonly pushed?: PushedAuthorizationRequest;
}

/** What the library itself was given: the short ways ask the same of a person. */
export interface RequestSources {
  readonly provider: Provider;
  readonly findAccount: FindAccount;
  readonly loadExistingGrant: NonNullable<Configuration['loadExistingGrant']>;
}

/** A request as the library would show it to the checks of its prompts; `answered`: the interaction it is taken up again from. */
export function contextOf(
  provider: Provider,
  ctx: Context,
  { client, parameters, pushed }: Asked,
  { session, answered }: { readonly session: Session; readonly answered?: Interaction },
): KoaContextWithOIDC {
  const route = answered === undefined ? 'authorization' : 'resume';
  // A context of its own with the members of this one, not one that inherits from it: to V8 each object that is inherited from has a shape of its own, so
  // nothing that was learnt at the request before holds for it, wherever one of its members is asked for.
  const request: KoaContextWithOIDC = Object.assign(Object.create(Object.getPrototypeOf(ctx)), ctx, {
    _matchedRouteName: route,
  });
  const oidc = Object.assign(new provider.OIDCContext(request as unknown as Context), {
    params: { ...parameters },
    session,
    ...(answered && { trusted: [], redirectUriCheckPerformed: true, result: answered.result }),
  });
  request.oidc = oidc;
  oidc.entity('Session', session);
  if (answered !== undefined) oidc.entity('Interaction', answered);
  oidc.entity('Client', client);
  if (pushed !== undefined) oidc.entity('PushedAuthorizationRequest', pushed);
  return request;
}

/**
 * Looks up whose request it is and what they have granted, as the library does: where nothing is granted a grant is there to be filled, and `undefined` is
 * returned. Throws for an account that is not there any more, and for a grant of others.
 */
export async function loadGrant(
  { provider, findAccount, loadExistingGrant }: RequestSources,
  request: KoaContextWithOIDC,
  { client, personId }: { readonly client: Client; readonly personId: string },
): Promise<Grant | undefined> {
  const { oidc } = request;
  const { clientId } = client;
  const account = await findAccount(personId, client, () => oidc.entities.Grant);
  if (account === undefined) throw new Error('the account of a request is gone');
  oidc.entity('Account', account);
  const existing = await loadExistingGrant(request);
  if (existing !== undefined) {
    if (existing.accountId !== personId || existing.clientId !== clientId) throw new Error('a grant of others');
    oidc.session?.ensureClientContainer(clientId);
    oidc.session?.grantIdFor(clientId, existing.jti);
  }
  oidc.entity('Grant', existing ?? new provider.Grant({ accountId: personId, clientId }));
  return existing;
}

/** Ends what a short way has answered. From here on nothing can be thrown: the library would find half an answer. */
export function answerShown(ctx: Context, request: KoaContextWithOIDC, cookies: readonly string[]): void {
  ctx.set('cache-control', 'no-store');
  ctx.append('set-cookie', [...cookies]);
  // Whoever reads a finished request finds it where the library leaves it (commit.ts, evidence.ts).
  ctx.oidc = request.oidc;
}
