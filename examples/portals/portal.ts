import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cookieJar } from './cookies.ts';
import { PORTALS, type PortalDefinition } from './definitions.ts';
import type { Desk } from './desk.ts';
import { type Answer, htmlAnswer, jsonAnswer, portalListener, type Visit } from './http.ts';
import { lazyIdentityServer, type TokenAlg } from './identity-server.ts';
import { landingPage, type PageContext, personPage, troublePage } from './pages.ts';
import { BoundedStore, type PortalSession, type SignInAttempt } from './sessions.ts';
import { signInRoutes } from './sign-in.ts';
import { signOutRoutes } from './sign-out.ts';
import { loadStaticFiles } from './static-files.ts';
import { languageOf, type Trouble } from './texts.ts';
import { STATUS_OF, troubleOf } from './troubles.ts';

const SESSION_LIMITS = { entriesMax: 10_000, lifetimeSeconds: 2 * 3600 };
const ATTEMPT_LIMITS = { entriesMax: 10_000, lifetimeSeconds: 15 * 60 };

export interface PortalOptions {
  readonly definition: PortalDefinition;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Where to listen; 127.0.0.1 unless told. */
  readonly host?: string;
  /** Where browsers and the identity server reach this portal, when that is not `http://host:port`. */
  readonly publicUrl?: string;
  /** Where the other portal is; its usual port on the same host unless told. */
  readonly siblingUrl?: string;
  /** Push the authorization request instead of carrying it through the browser (RFC 9126). */
  readonly pushedRequests?: boolean;
  /** The one algorithm of tokens this portal takes; every usual one unless told. */
  readonly tokenAlg?: TokenAlg;
}

export interface RunningPortal {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts one portal and resolves once it listens. The identity server may still be down: it is asked at the first sign-in.
 * Throws for an issuer without https that is not on this machine, and when the port is taken.
 */
export async function startPortal(options: PortalOptions): Promise<RunningPortal> {
  const { definition, issuer, host = '127.0.0.1' } = options;
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 16_384 });
  const identityServer = lazyIdentityServer(options);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const url = options.publicUrl ?? `http://${host}:${port}`;
  const other = PORTALS.find(({ clientId }) => clientId !== definition.clientId) ?? definition;
  const sibling = { definition: other, url: options.siblingUrl ?? `http://${host}:${other.port}` };
  const routes = portalRoutes({ ...options, url, sibling, identityServer });
  server.on('request', portalListener({ ...routes, formTargets: [new URL(issuer).origin] }));
  return {
    url,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Surroundings extends PortalOptions {
  readonly url: string;
  readonly sibling: PageContext['sibling'];
  readonly identityServer: Desk['identityServer'];
}

function portalRoutes({
  definition,
  clientId,
  url,
  sibling,
  identityServer,
  pushedRequests = false,
  tokenAlg,
}: Surroundings) {
  const sessions = new BoundedStore<PortalSession>(SESSION_LIMITS);
  const attempts = new BoundedStore<SignInAttempt>(ATTEMPT_LIMITS);
  const cookies = cookieJar(clientId, url);

  const contextOf = ({ acceptLanguage }: Visit): PageContext => {
    return { definition, sibling, language: languageOf(acceptLanguage) };
  };
  const trouble = (visit: Visit, kind: Trouble): Answer =>
    htmlAnswer(STATUS_OF[kind], troublePage(contextOf(visit), kind));
  const sessionOf = ({ cookie }: Visit): PortalSession | undefined => sessions.find(cookies.read(cookie, 'session'));
  const desk: Desk = {
    url,
    clientId,
    forCompanies: definition.forCompanies,
    pushedRequests,
    tokenAlg,
    sessions,
    attempts,
    cookies,
    identityServer,
    contextOf,
    sessionOf,
    trouble,
  };

  function home(visit: Visit): Answer {
    const session = sessionOf(visit);
    const context = contextOf(visit);
    return htmlAnswer(200, session === undefined ? landingPage(context) : personPage(context, session));
  }

  function sessionJson(visit: Visit): Answer {
    const session = sessionOf(visit);
    if (session === undefined) return jsonAnswer(200, { signedIn: false, sub: null, sid: null, claims: null });
    const { sub, sid = null, claims } = session;
    return jsonAnswer(200, { signedIn: true, sub, sid, claims });
  }

  return {
    url,
    routes: {
      'GET /': home,
      'GET /session.json': sessionJson,
      ...signInRoutes(desk),
      ...signOutRoutes(desk),
      ...loadStaticFiles(definition),
    },
    unknown: (visit: Visit): Answer => trouble(visit, 'not_found'),
    failed: (visit: Visit, error: unknown): Answer =>
      visit.url.pathname === '/backchannel-logout'
        ? jsonAnswer(503, { error: 'temporarily_unavailable' })
        : trouble(visit, troubleOf(error)),
  };
}
