import type { cookieJar } from './cookies.ts';
import type { Answer, Visit } from './http.ts';
import type { IdentityServer, TokenAlg } from './identity-server.ts';
import type { PageContext } from './pages.ts';
import type { BoundedStore, PortalSession, SignInAttempt } from './sessions.ts';
import type { Trouble } from './texts.ts';

/** What the routes of one portal share. */
export interface Desk {
  readonly url: string;
  readonly clientId: string;
  /** Whether people may act for a company here. */
  readonly forCompanies: boolean;
  readonly pushedRequests: boolean;
  readonly tokenAlg: TokenAlg | undefined;
  readonly sessions: BoundedStore<PortalSession>;
  readonly attempts: BoundedStore<SignInAttempt>;
  readonly cookies: ReturnType<typeof cookieJar>;
  readonly identityServer: () => Promise<IdentityServer>;
  contextOf(visit: Visit): PageContext;
  sessionOf(visit: Visit): PortalSession | undefined;
  trouble(visit: Visit, kind: Trouble): Answer;
}
