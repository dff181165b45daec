import * as oidc from 'openid-client';
import type { Desk } from './desk.ts';
import { type Answer, htmlAnswer, jsonAnswer, redirectAnswer, type Visit } from './http.ts';
import { logoutTokenJudge } from './logout-token.ts';
import { askSignOutPage, signedOutPage } from './pages.ts';

/** Signing out: by the person here (RP-Initiated Logout 1.0), or by the identity server behind their back (Back-Channel Logout 1.0). */
export function signOutRoutes(desk: Desk) {
  const { url, clientId, tokenAlg, sessions, cookies, identityServer, contextOf, sessionOf } = desk;
  const judgeLogoutToken = logoutTokenJudge(clientId, tokenAlg);

  const endSessionUrl = async (idToken: string): Promise<string> => {
    const { configuration } = await identityServer();
    const parameters = { id_token_hint: idToken, post_logout_redirect_uri: `${url}/signed-out` };
    return oidc.buildEndSessionUrl(configuration, parameters).href;
  };

  /** A link ends nothing here: the identity server asks, and its logout token is what ends the session. */
  async function leadToLogout(visit: Visit): Promise<Answer> {
    const session = sessionOf(visit);
    return redirectAnswer(session === undefined ? '/signed-out' : await endSessionUrl(session.idToken));
  }

  async function logout(visit: Visit): Promise<Answer> {
    const fromHere = visit.origin === undefined || visit.origin === new URL(url).origin;
    if (!fromHere) return htmlAnswer(200, askSignOutPage(contextOf(visit)));
    const session = sessions.take(cookies.read(visit.cookie, 'session'));
    const forgotten = [cookies.clear('session'), cookies.clear('browser')];
    if (session === undefined) return redirectAnswer('/signed-out', forgotten);
    return redirectAnswer(await endSessionUrl(session.idToken), forgotten);
  }

  async function backchannelLogout(visit: Visit): Promise<Answer> {
    const token = visit.form.get('logout_token');
    if (token === null) return jsonAnswer(400, { error: 'invalid_request' });
    const verdict = await judgeLogoutToken(token, await identityServer());
    if (verdict.state === 'unavailable') return jsonAnswer(503, { error: 'temporarily_unavailable' });
    if (verdict.state === 'refused') {
      return jsonAnswer(400, { error: 'invalid_request', error_description: verdict.reason });
    }
    const { sub, sid } = verdict;
    sessions.forget(
      (session) => (sid === undefined || session.sid === sid) && (sub === undefined || session.sub === sub),
    );
    return { status: 200, headers: {}, body: '' };
  }

  return {
    'GET /logout': leadToLogout,
    'POST /logout': logout,
    'GET /signed-out': (visit: Visit): Answer => htmlAnswer(200, signedOutPage(contextOf(visit))),
    'POST /backchannel-logout': backchannelLogout,
  };
}
