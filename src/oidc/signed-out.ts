import type { Context } from 'koa';
import type { Sealer } from '../crypto/sealing.ts';
import { statesOfOccasion } from '../delivery/outbox.ts';
import type { Database } from '../storage/database.ts';
import { UNJUDGED } from '../storage/guarded-statements.ts';
import { hostCookieName, readCookie, writeCookie } from '../web/cookies.ts';
import type { Authorizations } from './session-rows.ts';

/** How far a sign-out has come at one portal: `none` where it has no address for it, or could not be told. */
export interface PortalProgress {
  readonly clientId: string;
  readonly state: 'told' | 'pending' | 'none';
}

/** Lets the page after a sign-out show whom the notices have reached. */
export interface SignedOut {
  /** Leaves this browser the right to ask after one ended session, for some minutes. */
  remember(ctx: Context, sessionUid: string): void;
  /** Empty where this browser has not just signed out, or nobody was to be told. */
  progress(ctx: Context): Promise<readonly PortalProgress[]>;
}

const COOKIE = 'tongban_signed_out';
const SHOWN_SECONDS = 600;
const CONTEXT = 'cookie:signed_out:session';
const ENDED = `SELECT ${UNJUDGED} authorizations, ended_at FROM sessions WHERE uid = $1`;
const STATES = { waiting: 'pending', delivered: 'told', dead: 'none' } as const;

/**
 * The browser keeps nothing but the sealed name of its ended session: what is shown is read from the row, which stays until the session
 * would have expired, and from the outbox.
 */
export function createSignedOut(sources: {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly secure: boolean;
}): SignedOut {
  const { database, sealer, secure } = sources;

  const sessionOf = (ctx: Context): string | undefined => {
    const value = readCookie(ctx.get('cookie'), hostCookieName(COOKIE, secure));
    if (value === undefined) return undefined;
    try {
      return sealer.unseal(Buffer.from(value, 'base64url'), CONTEXT);
    } catch {
      // Planted, or sealed with a key that is gone: whoever sends it is shown what everybody is shown.
      return undefined;
    }
  };

  return {
    remember(ctx, sessionUid) {
      const value = Buffer.from(sealer.seal(sessionUid, CONTEXT)).toString('base64url');
      ctx.append('set-cookie', writeCookie(COOKIE, value, { secure, maxAgeSeconds: SHOWN_SECONDS }));
    },
    async progress(ctx) {
      const uid = sessionOf(ctx);
      if (uid === undefined) return [];
      const row = await database.get<{ authorizations: string; ended_at: number | null }>(ENDED, [uid]);
      const reached = new Map<string, PortalProgress['state']>();
      // A session that goes on has lost the portal that was left alone: the others are still in it.
      if (row?.ended_at) for (const clientId of portalsOf(row.authorizations)) reached.set(clientId, 'none');
      for (const { payload, state } of await statesOfOccasion(database, uid)) {
        reached.set(String(payload.clientId), STATES[state]);
      }
      return [...reached].map(([clientId, state]) => ({ clientId, state }));
    },
  };
}

const portalsOf = (authorizations: string): string[] => Object.keys(JSON.parse(authorizations) as Authorizations);
