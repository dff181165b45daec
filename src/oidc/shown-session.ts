import type { Context } from 'koa';
import type { Provider, Session } from 'oidc-provider';
import type { Config } from '../config/schema.ts';
import type { CookieKeys } from '../crypto/cookie-keys.ts';
import { limitsOf, sessionCookie, sessionSeconds } from './provider.ts';
import { signedCookie } from './session-cookies.ts';

/** The session of whoever is signed in in a browser. */
export interface ShownSession {
  readonly session: Session;
  readonly personId: string;
}

export interface ShownSessions {
  /** Whether a browser has shown no session at all. */
  isStrange(ctx: Context): boolean;
  /**
   * Undefined without a live session of somebody, and for a cookie that is not signed with the key in use: the library has one of an
   * older key signed anew. Changes nothing, not even the answer's cookies.
   */
  of(ctx: Context): Promise<ShownSession | undefined>;
  /** Writes a session that was used, and resolves with its cookies as the library sets them: at each visit, with the end that has moved. */
  keep(session: Session): Promise<readonly string[]>;
}

export interface ShownSessionSources {
  readonly provider: Provider;
  readonly cookieKeys: Pick<CookieKeys, 'index' | 'sign'>;
  readonly config: Pick<Config, 'issuer' | 'session' | 'staff'>;
}

export function createShownSessions({ provider, cookieKeys, config }: ShownSessionSources): ShownSessions {
  const name = provider.cookieName('session');
  const { path, sameSite, secure } = sessionCookie(config.issuer.startsWith('https:'));
  const bounds = `; path=${path}; samesite=${sameSite}${secure ? '; secure' : ''}; httponly`;

  return {
    isStrange: ({ cookies }) => cookies.get(name, { signed: false }) === undefined,

    async of({ cookies }) {
      const id = cookies.get(name, { signed: false });
      const signature = cookies.get(`${name}.sig`, { signed: false });
      if (id === undefined || signature === undefined || cookieKeys.index(`${name}=${id}`, signature) !== 0) {
        return undefined;
      }
      const session = await provider.Session.find<Session>(id);
      const personId = session?.accountId;
      return session === undefined || personId === undefined ? undefined : { session, personId };
    },

    async keep(session) {
      await session.save(sessionSeconds(limitsOf(session, config), session.loginTs));
      const end = session.transient === true ? '' : `; expires=${new Date(session.exp * 1000).toUTCString()}`;
      return signedCookie(cookieKeys, name, session.jti, `${bounds}${end}`);
    },
  };
}

/** A session that nobody has begun yet, as the library makes one for a browser that has shown none. */
export const newSession = (provider: Provider): Session => new (provider.Session as unknown as new () => Session)();
