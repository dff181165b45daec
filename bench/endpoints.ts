export const DISCOVERY = '/.well-known/openid-configuration';

/** Paths of the protocol endpoints, read from the server's own discovery document. */
export interface Endpoints {
  readonly discovery: string;
  readonly authorization: string;
  readonly token: string;
  readonly userinfo: string;
  readonly jwks: string;
  readonly introspection: string;
  readonly revocation: string;
  readonly pushedRequest: string;
  readonly endSession: string;
}

/** The product's own paths, for servers that were started here and need not be asked. */
export const OUR_ENDPOINTS: Endpoints = {
  discovery: DISCOVERY,
  authorization: '/auth',
  token: '/token',
  userinfo: '/me',
  jwks: '/jwks',
  introspection: '/token/introspection',
  revocation: '/token/revocation',
  pushedRequest: '/request',
  endSession: '/session/end',
};

/** What a server says of itself. */
export async function readEndpoints(origin: URL): Promise<Endpoints> {
  const document = (await (await fetch(new URL(DISCOVERY, origin))).json()) as Record<string, unknown>;
  const path = (member: string): string => new URL(String(document[member] ?? '/missing'), origin).pathname;
  return {
    discovery: DISCOVERY,
    authorization: path('authorization_endpoint'),
    token: path('token_endpoint'),
    userinfo: path('userinfo_endpoint'),
    jwks: path('jwks_uri'),
    introspection: path('introspection_endpoint'),
    revocation: path('revocation_endpoint'),
    pushedRequest: path('pushed_authorization_request_endpoint'),
    endSession: path('end_session_endpoint'),
  };
}
