import * as oidc from 'openid-client';
import { SCOPE } from './definitions.ts';
import type { Desk } from './desk.ts';
import { type Answer, redirectAnswer, type Visit } from './http.ts';

const PROMPTS: readonly (string | null)[] = ['none', 'login', 'select_account'];
/** Oneself, or a company by its Unified Social Credit Code (GB 32100). */
const ACTING_AS = /^(self|[0-9A-Z]{18})$/;
const BROWSER_MARK = /^[\w-]{43}$/;

/** The way to the identity server and back: authorization code, PKCE S256, state and nonce (OIDC Core 3.1, RFC 9700 2.1). */
export function signInRoutes(desk: Desk) {
  const { url, clientId, forCompanies, sessions, attempts, cookies, identityServer, trouble, pushedRequests } = desk;

  async function login(visit: Visit): Promise<Answer> {
    const { configuration } = await identityServer();
    // Begun elsewhere (OIDC Core section 4), a sign-in names its server: only ours may send people here.
    const iss = visit.url.searchParams.get('iss');
    if (iss !== null && iss !== configuration.serverMetadata().issuer) return trouble(visit, 'failed');
    const codeVerifier = oidc.randomPKCECodeVerifier();
    const nonce = oidc.randomNonce();
    const known = cookies.read(visit.cookie, 'browser');
    const browser = known !== undefined && BROWSER_MARK.test(known) ? known : oidc.randomState();
    const prompt = visit.url.searchParams.get('prompt');
    const actingAs = visit.url.searchParams.get('acting_as') ?? '';
    const state = attempts.keep({ browser, nonce, codeVerifier });
    const request = {
      redirect_uri: `${url}/callback`,
      scope: SCOPE,
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
      ...(prompt !== null && PROMPTS.includes(prompt) ? { prompt } : {}),
      ...(forCompanies && ACTING_AS.test(actingAs) ? { acting_as: actingAs } : {}),
    };
    const target = pushedRequests
      ? await oidc.buildAuthorizationUrlWithPAR(configuration, request)
      : oidc.buildAuthorizationUrl(configuration, request);
    return redirectAnswer(target.href, [cookies.write('browser', browser)]);
  }

  async function callback(visit: Visit): Promise<Answer> {
    const state = visit.url.searchParams.get('state') ?? undefined;
    const attempt = attempts.take(state);
    // An answer brought by another browser would sign this person in to somebody else's account (RFC 9700 section 4.7).
    if (state === undefined || attempt === undefined || attempt.browser !== cookies.read(visit.cookie, 'browser')) {
      return trouble(visit, 'expired');
    }
    const { configuration, sm2 } = await identityServer();
    const tokens = await oidc.authorizationCodeGrant(configuration, visit.url, {
      expectedState: state,
      expectedNonce: attempt.nonce,
      pkceCodeVerifier: attempt.codeVerifier,
      idTokenExpected: true,
    });
    const idClaims = tokens.claims();
    if (tokens.id_token === undefined || idClaims === undefined) return trouble(visit, 'failed');
    // The library knows no SM2: it has compared the claims, and the signature is ours to verify.
    const { issuer } = configuration.serverMetadata();
    await sm2?.claimsOf(tokens.id_token, { issuer, audience: clientId, nonce: attempt.nonce });
    const userInfo = await oidc.fetchUserInfo(configuration, tokens.access_token, idClaims.sub);
    const sid = typeof idClaims.sid === 'string' ? idClaims.sid : undefined;
    sessions.take(cookies.read(visit.cookie, 'session'));
    const key = sessions.keep({
      sub: idClaims.sub,
      sid,
      claims: { ...userInfo, ...idClaims },
      idToken: tokens.id_token,
    });
    return redirectAnswer('/', [cookies.write('session', key)]);
  }

  return { 'GET /login': login, 'GET /callback': callback };
}
