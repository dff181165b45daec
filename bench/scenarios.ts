import { Browser } from './browser.ts';
import { Connection } from './connection.ts';
import type { Operation } from './measure.ts';
import type { Running } from './peers.ts';
import { authorizationPath, authorize, expectOk, memberOf, PKCE_CHALLENGE, portalRequest, redeem } from './sign-in.ts';

/** What a scenario must reach beside the bare library: processor time at most, or throughput at least, that many times. */
export interface Bar {
  readonly kind: 'cpu' | 'throughput';
  readonly limit: number;
}

export interface Scenario {
  readonly name: string;
  /** Which password hash both servers run with. */
  readonly hash: 'none' | 'full';
  /** How many operations each server has done before the clock starts, as far as the pace has time for them. */
  readonly warmUpOperations?: number;
  /** What a reader of the row should know. */
  readonly remark?: string;
  readonly bar?: Bar;
  /** Makes ready what one lane needs before the clock starts, and gives its operation. */
  readonly prepare: (server: Running, lane: number) => Promise<Operation>;
}

export const CONSENT = { prompt: 'consent' } as const;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'discovery',
    hash: 'none',
    bar: { kind: 'throughput', limit: 2.5 },
    prepare: async (server) => get(server, server.endpoints.discovery, 'issuer'),
  },
  {
    name: 'jwks',
    hash: 'none',
    bar: { kind: 'throughput', limit: 2.5 },
    prepare: async (server) => get(server, server.endpoints.jwks, 'keys'),
  },
  {
    name: 'client_credentials',
    hash: 'none',
    bar: { kind: 'cpu', limit: 1.25 },
    prepare: async (server) =>
      post(server, server.endpoints.token, { grant_type: 'client_credentials' }, 'access_token'),
  },
  {
    name: 'PAR',
    hash: 'none',
    bar: { kind: 'cpu', limit: 1.25 },
    prepare: async (server) => post(server, server.endpoints.pushedRequest, pushedParameters(server), 'request_uri'),
  },
  { name: 'sign-in, hash', hash: 'full', prepare: signIn },
  {
    // Warmed by count as well: the first two hundred of a process took two to three times as long as those after two thousand, on both sides.
    name: 'SSO',
    hash: 'none',
    warmUpOperations: 3000,
    bar: { kind: 'cpu', limit: 1.35 },
    prepare: singleSignOn,
  },
  { name: 'refresh', hash: 'none', bar: { kind: 'cpu', limit: 1.4 }, prepare: refresh },
  {
    name: 'userinfo',
    hash: 'none',
    bar: { kind: 'cpu', limit: 1.25 },
    prepare: async (server, lane) => {
      const bearer = `Authorization: Bearer ${await accessTokenOf(server, lane)}\r\n`;
      return get(server, server.endpoints.userinfo, 'sub', bearer);
    },
  },
  {
    name: 'introspection',
    hash: 'none',
    bar: { kind: 'cpu', limit: 1 },
    prepare: async (server, lane) => {
      const token = await accessTokenOf(server, lane);
      return post(server, server.endpoints.introspection, { token }, '"active":true');
    },
  },
  {
    // Last, and warmed by count: it runs through more code than all others together, and what has not been compiled yet costs
    // several times as much. The first fifty of a process took three times as long as those after a thousand, and after 1,800 a sixteenth of
    // all processor time was still the compiler's.
    name: 'sign-in, no hash',
    hash: 'none',
    warmUpOperations: 4000,
    bar: { kind: 'cpu', limit: 1.25 },
    prepare: signIn,
  },
];

/** The complete way from the first redirect to the tokens, by a browser that has never been here. */
export async function signIn(server: Running, lane: number): Promise<Operation> {
  const browser = new Browser(server.origin);
  const person = server.people[lane % server.people.length];
  const start = authorizationPath(server, CONSENT);
  return async () => {
    browser.forget();
    const { code, requestCount } = await authorize(server, browser, start, person);
    await redeem(server, browser.connection, code);
    return requestCount + 1;
  };
}

/** A person who is signed in opens the portal again: prompt=none, a code, tokens. */
export async function singleSignOn(server: Running, lane: number): Promise<Operation> {
  const browser = new Browser(server.origin);
  const person = server.people[lane % server.people.length];
  await authorize(server, browser, authorizationPath(server, CONSENT), person);
  const start = authorizationPath(server, { prompt: 'none' });
  return async () => {
    const { code, requestCount } = await authorize(server, browser, start);
    await redeem(server, browser.connection, code);
    return requestCount + 1;
  };
}

async function refresh(server: Running, lane: number): Promise<Operation> {
  const connection = new Connection(server.origin);
  let { refreshToken } = await tokensOf(server, lane);
  return async () => {
    const fields = { grant_type: 'refresh_token', refresh_token: refreshToken };
    const answer = await connection.exchange(portalRequest(server, server.endpoints.token, fields));
    const successor = memberOf(expectOk(answer, 'refresh_token'), 'refresh_token');
    if (successor === refreshToken) throw new Error(`${server.name}: the refresh token was not rotated`);
    refreshToken = successor;
    return 1;
  };
}

/** Tokens of a fresh sign-in with offline access. */
export async function tokensOf(
  server: Running,
  lane: number,
): Promise<{ readonly accessToken: string; readonly refreshToken: string }> {
  const browser = new Browser(server.origin);
  const person = server.people[lane % server.people.length];
  const start = authorizationPath(server, { ...CONSENT, scope: 'openid profile offline_access' });
  const { code } = await authorize(server, browser, start, person);
  const answer = await redeem(server, browser.connection, code);
  browser.connection.close();
  return { accessToken: memberOf(answer, 'access_token'), refreshToken: memberOf(answer, 'refresh_token') };
}

const accessTokens = new WeakMap<Running, Map<number, Promise<string>>>();

/** The access token of a lane, which every scenario that only shows one shares: a sign-in costs as much as a hundred looks at its token. */
function accessTokenOf(server: Running, lane: number): Promise<string> {
  const held = accessTokens.get(server) ?? new Map<number, Promise<string>>();
  accessTokens.set(server, held);
  const known = held.get(lane) ?? tokensOf(server, lane).then(({ accessToken }) => accessToken);
  held.set(lane, known);
  return known;
}

function get(server: Running, path: string, member: string, headerLines = ''): Operation {
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${server.origin.host}\r\n${headerLines}\r\n`);
  return repeat(server, request, member);
}

function post(server: Running, path: string, fields: Readonly<Record<string, string>>, member: string): Operation {
  return repeat(server, Buffer.from(portalRequest(server, path, fields)), member);
}

function repeat(server: Running, request: Buffer, member: string): Operation {
  const connection = new Connection(server.origin);
  return async () => {
    expectOk(await connection.exchange(request), member);
    return 1;
  };
}

function pushedParameters({ client }: Running): Readonly<Record<string, string>> {
  return {
    response_type: 'code',
    client_id: client.id,
    redirect_uri: client.redirectUri,
    scope: 'openid profile',
    code_challenge: PKCE_CHALLENGE,
    code_challenge_method: 'S256',
  };
}
