// A whole sign-in, for whoever connects a portal. The relying party `my-portal` is registered with the redirect URI
// http://127.0.0.1:3003/callback. Run: ISSUER=https://id.example CLIENT_SECRET=... node examples/portal-in-ten-lines.ts
import { createServer } from 'node:http';
import * as oidc from 'openid-client';

const { ISSUER = 'http://localhost:3000', CLIENT_ID = 'my-portal', CLIENT_SECRET = '' } = process.env;
const address = 'http://127.0.0.1:3003';
const trial = new URL(ISSUER).hostname === 'localhost' ? [oidc.allowInsecureRequests] : [];
const authentication = oidc.ClientSecretBasic(CLIENT_SECRET);
const server = await oidc.discovery(new URL(ISSUER), CLIENT_ID, undefined, authentication, { execute: trial });
const attempts = new Map<string, { expectedState: string; pkceCodeVerifier: string }>();

createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', address);
  if (url.pathname === '/callback') {
    const attempt = /attempt=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    const expected = attempts.get(attempt);
    attempts.delete(attempt);
    const tokens = expected && (await oidc.authorizationCodeGrant(server, url, expected).catch(() => undefined));
    return response.end(tokens ? `Signed in as ${tokens.claims()?.sub}` : 'Please sign in again.');
  }
  const [state, pkceCodeVerifier] = [oidc.randomState(), oidc.randomPKCECodeVerifier()];
  attempts.set(state, { expectedState: state, pkceCodeVerifier });
  const location = oidc.buildAuthorizationUrl(server, {
    redirect_uri: `${address}/callback`,
    scope: 'openid',
    state,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  });
  const cookie = `attempt=${state}; HttpOnly; SameSite=Lax; Path=/`;
  response.writeHead(303, { location: location.href, 'set-cookie': cookie }).end();
}).listen(3003, '127.0.0.1');
