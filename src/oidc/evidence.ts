import type { Client, KoaContextWithOIDC } from 'oidc-provider';
import type { LedgerEvent } from '../ledger/ledger.ts';
import type { Subjects } from './subjects.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** What one protocol request means to the ledger. */
export interface Evidence {
  /** Written in the transaction of the request's changes. */
  readonly events: readonly LedgerEvent[];
  /** A failure that changed nothing, and that anybody can repeat. */
  readonly failure?: LedgerEvent;
}

const NOTHING: Evidence = { events: [] };

/** A portal that asks whether somebody is signed in and hears "not yet" is the ordinary way of `prompt=none`. */
const ORDINARY_ANSWERS: ReadonlySet<string> = new Set([
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
]);

/** What a portal sends may be anything, a code or a secret in the wrong place included: only what we know is repeated (H5). */
const GRANT_TYPES: ReadonlySet<unknown> = new Set(['authorization_code', 'refresh_token', 'client_credentials']);

/** Reads a finished request and decides nothing. For whom a portal was entered is written by `subjects`, which knows. */
export function evidenceOf(ctx: KoaContextWithOIDC, unit: UnitOfWork, subjects: Pick<Subjects, 'entered'>): Evidence {
  const base = { correlation: unit.requestId, ...callerOf(ctx, unit) };
  switch (ctx.oidc.route) {
    case 'token':
      return tokenEvidence(ctx, unit, base);
    case 'authorization':
    case 'resume':
      return authorizationEvidence(ctx, unit, subjects);
    case 'pushed_authorization_request':
      return refusalOf(ctx, { ...base, type: 'portal.refused' });
    case 'introspection':
      return refusalOf(ctx, { ...base, type: 'introspection.refused' });
    case 'revocation': {
      const { AccessToken, RefreshToken } = ctx.oidc.entities;
      const personId = (AccessToken ?? RefreshToken)?.accountId;
      if (ctx.status !== 200) return refusalOf(ctx, { ...base, personId, type: 'token.refused' });
      return unit.isEmpty ? NOTHING : { events: [{ ...base, personId, type: 'token.revoked' }] };
    }
    case 'end_session_confirm':
      return ctx.status === 303 && ctx.oidc.params?.logout ? { events: [signedOut(ctx, unit)] } : NOTHING;
    default:
      return NOTHING;
  }
}

/** The event as a failure with the error that was answered; nothing where none was. */
function refusalOf(ctx: KoaContextWithOIDC, event: LedgerEvent): Evidence {
  if (ctx.status !== 400 && ctx.status !== 401) return NOTHING;
  const details = { ...event.details, error: errorOf(ctx) };
  return { events: [], failure: { ...event, outcome: 'failure', details } };
}

type Caller = Pick<LedgerEvent, 'actor' | 'clientId' | 'address' | 'hostAddress'>;

/** Who called an endpoint for portals, and from where. Whoever only claimed to be a portal is nobody we know. */
export function callerOf(ctx: KoaContextWithOIDC, unit: UnitOfWork): Caller {
  const { client } = ctx.oidc;
  if (client === undefined) return { actor: 'anonymous', address: unit.address };
  const isProven = ctx.status !== 401 && errorOf(ctx) !== 'invalid_client';
  return isProven ? provenCaller(client, unit) : { ...provenCaller(client, unit), actor: 'anonymous' };
}

/** A portal that has proven itself, and from where: its server, unless the portal is an app on a person's own device. */
export const provenCaller = ({ clientId, clientAuthMethod }: Client, { address }: UnitOfWork): Caller => ({
  actor: `client:${clientId}`,
  clientId,
  ...(clientAuthMethod === 'none' ? { address } : { hostAddress: address }),
});

/** What the ledger is told of a token: that of a service belongs to nobody. */
export interface IssuedToken {
  readonly accountId?: string | undefined;
  readonly sessionUid?: string | undefined;
  readonly scope?: string | undefined;
}

/** A portal was given a token, of a person or of its own. */
export function tokenIssued(client: Client, unit: UnitOfWork, grantType: string, token: IssuedToken): LedgerEvent {
  const { accountId, sessionUid } = token;
  const whose = accountId === undefined ? {} : { personId: accountId, sessionUid };
  return {
    ...provenCaller(client, unit),
    ...whose,
    correlation: unit.requestId,
    type: 'token.issued',
    details: { grantType, scopes: token.scope ?? '' },
  };
}

function tokenEvidence(ctx: KoaContextWithOIDC, unit: UnitOfWork, base: Omit<LedgerEvent, 'type'>): Evidence {
  const { oidc, status } = ctx;
  const asked = oidc.params?.grant_type ?? '';
  const grantType = GRANT_TYPES.has(asked) ? String(asked) : asked === '' ? '' : 'unknown';
  const { AccessToken, ClientCredentials } = oidc.entities;
  const issued = AccessToken ?? ClientCredentials;
  if (status === 200 && issued && oidc.client) return { events: [tokenIssued(oidc.client, unit, grantType, issued)] };
  if (status !== 400 && status !== 401) return NOTHING;
  const replays = [...unit.replayed].flatMap(([model, personId]): LedgerEvent[] => {
    if (model === 'AuthorizationCode') return [{ ...base, personId, type: 'code.replayed', outcome: 'failure' }];
    return model === 'RefreshToken' ? [{ ...base, personId, type: 'refresh.reused', outcome: 'failure' }] : [];
  });
  if (replays.length > 0) return { events: replays };
  return refusalOf(ctx, { ...base, type: 'token.refused', details: { grantType } });
}

function authorizationEvidence(
  ctx: KoaContextWithOIDC,
  unit: UnitOfWork,
  subjects: Pick<Subjects, 'entered'>,
): Evidence {
  const { entities, session, client } = ctx.oidc;
  const base = {
    clientId: client?.clientId,
    address: unit.address,
    userAgent: unit.userAgent,
    correlation: unit.requestId,
  };
  const code = entities.AuthorizationCode;
  if (code) {
    const details = { acr: String(code.acr ?? ''), scopes: code.scope ?? '', ...subjects.entered(ctx, unit) };
    return {
      events: [{ ...base, type: 'portal.entered', personId: code.accountId, sessionUid: code.sessionUid, details }],
    };
  }
  const error = client === undefined ? null : errorSent(ctx);
  if (error === null || ORDINARY_ANSWERS.has(error)) return NOTHING;
  const failure: LedgerEvent = {
    ...base,
    type: 'portal.refused',
    outcome: 'failure',
    ...(session?.accountId === undefined ? { actor: 'anonymous' } : { personId: session.accountId }),
    details: { error },
  };
  return { events: [], failure };
}

/** The error the portal is sent, whatever it is sent in; null when there is none. */
function errorSent(ctx: KoaContextWithOIDC): string | null {
  const refusal = ctx.state.refusal as string | undefined;
  if (refusal !== undefined) return refusal;
  const location = ctx.response.get('location');
  return location === '' ? null : (URL.parse(location)?.searchParams.get('error') ?? null);
}

const signedOut = ({ oidc }: KoaContextWithOIDC, { address, userAgent, requestId }: UnitOfWork): LedgerEvent => ({
  type: 'session.ended',
  personId: oidc.session?.accountId,
  sessionUid: oidc.session?.uid,
  address,
  userAgent,
  correlation: requestId,
  details: { cause: 'signed_out', portals: Object.keys(oidc.session?.authorizations ?? {}) },
});

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const errorOf = ({ body }: KoaContextWithOIDC): string => (isRecord(body) ? String(body.error) : '');
