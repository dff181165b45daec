import type { Context } from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { RelyingParties } from '../relying-parties/relying-parties.ts';
import { shownName } from '../relying-parties/relying-party.ts';
import type { FaultCode } from '../shared/faults.ts';
import type { Language } from '../web/language.ts';
import type { Renderer } from '../web/render.ts';
import { contentPolicy, formTarget } from '../web/security-headers.ts';
import type { ShowFault } from '../web/shell.ts';
import type { SignedOut } from './signed-out.ts';

export interface ProtocolPages {
  logoutPage(ctx: KoaContextWithOIDC, form: string): Promise<void>;
  loggedOutPage(ctx: KoaContextWithOIDC): Promise<void>;
  renderError(
    ctx: KoaContextWithOIDC,
    out: { readonly error: string; readonly error_description?: string },
  ): Promise<void>;
}

interface LogoutState {
  readonly secret?: string;
  readonly clientId?: string;
  readonly postLogoutRedirectUri?: string;
}

/** The pages the protocol library asks us for. They show nothing of the request but names we have registered ourselves. */
export function createProtocolPages(sources: {
  readonly renderer: Renderer;
  readonly relyingParties: RelyingParties;
  readonly showFault: ShowFault;
  readonly signedOut: Pick<SignedOut, 'progress'>;
}): ProtocolPages {
  const { renderer, relyingParties, showFault, signedOut } = sources;
  const nameOf = async (clientId: string, language: Language): Promise<string> => {
    const party = await relyingParties.inspect(clientId);
    return party ? shownName(party.record, language) : clientId;
  };

  return {
    async logoutPage(ctx) {
      const { session } = ctx.oidc;
      const state = (session?.state ?? {}) as LogoutState;
      // The page's answer may lead back to the portal, which the policy on forms must allow.
      const target = state.postLogoutRedirectUri === undefined ? undefined : formTarget(state.postLogoutRedirectUri);
      if (target) ctx.set('content-security-policy', contentPolicy([target]));
      const { language } = renderer.preferences(ctx as unknown as Context);
      const clientIds = Object.keys(session?.authorizations ?? {});
      const names = await Promise.all(clientIds.map((clientId) => nameOf(clientId, language)));
      renderer.page(ctx as unknown as Context, 'logout', {
        action: '/session/end/confirm',
        hidden: [{ name: 'xsrf', value: state.secret ?? '' }],
        portals: names.map((name) => ({ name })),
        ...(state.clientId === undefined ? {} : { current: { name: await nameOf(state.clientId, language) } }),
        cancelUrl: '/',
      });
    },
    async loggedOutPage(ctx) {
      const own = ctx as unknown as Context;
      const { language } = renderer.preferences(own);
      const portals = await Promise.all(
        (await signedOut.progress(own)).map(async ({ clientId, state }) => ({
          name: await nameOf(clientId, language),
          state,
        })),
      );
      const isUnderWay = portals.some(({ state }) => state === 'pending');
      renderer.page(own, 'logout-done', { portals, homeUrl: '/', ...(isUnderWay ? { againUrl: ctx.path } : {}) });
    },
    async renderError(ctx, out) {
      // Shown to the person: the portal is sent nothing (evidence.ts).
      delete ctx.state.refusal;
      showFault(ctx as unknown as Context, faultOf(ctx, out.error), {
        ...(out.error_description === undefined ? {} : { description: out.error_description }),
      });
      // A program learns the protocol's own error; a person the fault page's text.
      if (ctx.response.is('json')) {
        ctx.body = { error: out.error, error_description: out.error_description };
      }
    },
  };
}

function faultOf(ctx: KoaContextWithOIDC, error: string): FaultCode {
  if (error === 'server_error') return 'internal';
  if (ctx.oidc.route.startsWith('end_session')) return 'logout_refused';
  if (ctx.oidc.route === 'resume') return 'ceremony_expired';
  return error === 'invalid_client' ? 'relying_party_unknown' : 'authorization_refused';
}
