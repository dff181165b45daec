import { type Client, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { RelyingParty } from '../relying-parties/relying-party.ts';
import { secretMatches } from '../relying-parties/secret.ts';
import { AlreadyMarked, type SessionAdapter } from './adapter.ts';
import type { CodeStatement } from './assurance.ts';
import type { LogoutNotice } from './logout-notices.ts';
import { type Succession, TYPED_MODELS, typedId } from './token-ids.ts';
import { currentUnit } from './unit-of-work.ts';

/** Delivers one logout token to one relying party; rejects unless it answers 200 or 204. */
export type SendLogout = (client: Client, accountId: string, sid: string) => Promise<void>;

export interface ShadowOptions {
  readonly provider: Provider;
  readonly sessions: SessionAdapter;
  readonly successorId: Succession;
  /** Called instead of delivering inside the citizen's request: puts the notice into the outbox. */
  readonly queueLogout: (notice: LogoutNotice) => void;
  /** What the code of a request states of the sign-in behind it. */
  readonly statementOf: (ctx: KoaContextWithOIDC) => CodeStatement | undefined;
  /** The active party of an id: the same object until its record changes. */
  readonly findParty: (clientId: string) => Promise<RelyingParty | undefined>;
  /** Called wherever a request learns who calls, before any signature is looked at. */
  readonly called: (oidc: KoaContextWithOIDC['oidc'], client: Client) => void;
}

/**
 * Where the library's classes need a word of ours. Only declared, public members are replaced, on the instance or on the
 * class of this one provider; a test pins each of them, because the class names are part of what we rely on.
 * Returns the library's own delivery of logout tokens, for the outbox.
 */
export function shadow({
  provider,
  sessions,
  successorId,
  queueLogout,
  findParty,
  called,
  statementOf,
}: ShadowOptions): SendLogout {
  shadowSingleUse(provider, sessions);
  shadowTokenIds(provider, successorId);
  shadowClients(provider, findParty, called);
  shadowCodes(provider, statementOf);

  const prototype = provider.Client.prototype;
  const deliver = prototype.backchannelLogout as (this: Client, accountId: string, sid: string) => Promise<void>;
  Object.defineProperty(prototype, 'backchannelLogout', {
    async value(this: Client, accountId: string, sid: string): Promise<void> {
      const sessionUid = Provider.ctx?.oidc.session?.uid;
      queueLogout({ clientId: this.clientId, accountId, sid, ...(sessionUid === undefined ? {} : { sessionUid }) });
    },
  });
  return (client, accountId, sid) => deliver.call(client, accountId, sid);
}

function shadowSingleUse(provider: Provider, sessions: SessionAdapter): void {
  const { ReplayDetection: BaseReplayDetection, Session: BaseSession } = provider;

  class ReplayDetection extends BaseReplayDetection {
    /** False when another request has marked it in the meantime: each caller answers with its own error instead of a 500. */
    static override async unique(...known: Parameters<typeof BaseReplayDetection.unique>): Promise<boolean> {
      try {
        return await super.unique(...known);
      } catch (error) {
        if (error instanceof AlreadyMarked) return false;
        throw error;
      }
    }
  }

  class Session extends BaseSession {
    static override IN_PAYLOAD = [...BaseSession.IN_PAYLOAD, 'proven'];

    /** Sign-out. A mere change of the id goes to the adapter's destroy() without passing here. */
    override async destroy(): Promise<void> {
      await sessions.end(this.uid);
      await super.destroy();
    }
  }

  Object.defineProperty(provider, 'ReplayDetection', { value: ReplayDetection });
  Object.defineProperty(provider, 'Session', { value: Session });
}

function shadowTokenIds(provider: Provider, successorId: Succession): void {
  for (const model of TYPED_MODELS) {
    const prototype: { generateTokenId(): string } = provider[model].prototype;
    const generate = prototype.generateTokenId;
    Object.defineProperty(prototype, 'generateTokenId', {
      value(this: typeof prototype): string {
        const id = generate.call(this); // also marks the token as opaque
        const spent = spentRefreshToken();
        return spent === undefined ? typedId(model, id) : successorId(model, spent);
      },
    });
  }
}

/**
 * Everything a portal gets states what its code does: level, methods and time of what was counted for this very request. The session
 * may hold more, or older proofs. Nothing leaves without having been judged.
 */
function shadowCodes(provider: Provider, statementOf: ShadowOptions['statementOf']): void {
  const prototype = provider.AuthorizationCode.prototype;
  const save = prototype.save;
  Object.defineProperty(prototype, 'save', {
    value(this: typeof prototype, ...options: Parameters<typeof save>): ReturnType<typeof save> {
      const ctx = Provider.ctx as KoaContextWithOIDC | undefined;
      const statement = ctx && statementOf(ctx);
      if (statement === undefined) throw new Error('a code was to be issued for a request that nobody has judged');
      Object.assign(this, statement);
      return save.apply(this, options);
    },
  });
}

/** The refresh token this request spends, if it does. */
function spentRefreshToken(): string | undefined {
  const spending = currentUnit()?.spending;
  if (spending !== undefined) return spending.refreshToken;
  const oidc = Provider.ctx?.oidc;
  if (oidc?.route !== 'token' || oidc.params?.grant_type !== 'refresh_token') return undefined;
  return String(oidc.params.refresh_token);
}

/**
 * Client instances are kept until their record changes: the library would read and hash the whole metadata at every request.
 * A relying party's secret is kept as a digest, so what it presents is digested before it is compared, in constant time.
 */
function shadowClients(
  provider: Provider,
  findParty: ShadowOptions['findParty'],
  called: ShadowOptions['called'],
): void {
  const find = provider.Client.find.bind(provider.Client);
  const kept = new WeakMap<RelyingParty, Client>();
  Object.defineProperty(provider.Client, 'find', {
    async value(id: string): Promise<Client | undefined> {
      const party = typeof id === 'string' ? await findParty(id) : undefined;
      if (!party) return undefined;
      const held = kept.get(party);
      const client = held ?? (await find(id));
      if (client === undefined) return undefined;
      kept.set(party, client);
      const oidc = Provider.ctx?.oidc;
      if (oidc !== undefined) called(oidc, client);
      return client;
    },
  });
  Object.defineProperty(provider.Client.prototype, 'compareClientSecret', {
    async value(this: Client, presented: string): Promise<boolean> {
      // The library takes header and body for one method; a portal uses the one it is registered for (A13).
      const usedHeader = Provider.ctx?.headers.authorization !== undefined;
      if (usedHeader !== (this.clientAuthMethod === 'client_secret_basic')) return false;
      return this.clientSecret !== undefined && secretMatches(this.clientSecret, presented);
    },
  });
}
