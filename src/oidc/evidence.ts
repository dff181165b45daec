import type { KoaContextWithOIDC } from 'oidc-provider';
import type { LedgerEvent } from '../ledger/ledger.ts';
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

/** Reads a finished request; decides nothing and writes nothing. */
export function evidenceOf(ctx: KoaContextWithOIDC, unit: UnitOfWork): Evidence {
  const base = { correlation: unit.requestId, ...callerOf(ctx, unit) };
  switch (ctx.oidc.route) {
    case 'token':
      return tokenEvidence(ctx, unit, base);
    case 'authorization':
    case 'resume':
      return authorizationEvidence(ctx, unit);
    case 'introspection':
      return ctx.status === 400 || ctx.status === 401
        ? {
            events: [],
            failure: { ...base, type: 'introspection.refused', outcome: 'failure', details: { error: errorOf(ctx) } },
          }
        : NOTHING;
    case 'revocation':
      return ctx.status === 200 && !unit.isEmpty ? { events: [{ ...base, type: 'token.revoked' }] } : NOTHING;
    case 'end_session_confirm':
      return ctx.status === 303 && ctx.oidc.params?.logout ? { events: [signedOut(ctx, unit)] } : NOTHING;
    default:
      return NOTHING;
  }
}

/** At the endpoints for portals the caller is the portal's server, unless the portal is an app on a person's own device. */
function callerOf(
  { oidc }: KoaContextWithOIDC,
  { address }: UnitOfWork,
): Pick<LedgerEvent, 'clientId' | 'address' | 'hostAddress'> {
  const { client } = oidc;
  if (client === undefined) return { address };
  return {
    clientId: client.clientId,
    ...(client.clientAuthMethod === 'none' ? { address } : { hostAddress: address }),
  };
}

function tokenEvidence(
  { oidc, status, body }: KoaContextWithOIDC,
  unit: UnitOfWork,
  base: Omit<LedgerEvent, 'type'>,
): Evidence {
  const grantType = String(oidc.params?.grant_type ?? '').slice(0, 64);
  const { AccessToken, ClientCredentials } = oidc.entities;
  const issued = AccessToken ?? ClientCredentials;
  if (status === 200 && issued) {
    const whose = AccessToken ? { personId: AccessToken.accountId, sessionUid: AccessToken.sessionUid } : {};
    return {
      events: [{ ...base, ...whose, type: 'token.issued', details: { grantType, scopes: issued.scope ?? '' } }],
    };
  }
  if (status !== 400 && status !== 401) return NOTHING;
  const personId = (oidc.entities.AuthorizationCode ?? oidc.entities.RefreshToken)?.accountId;
  const replays = [...unit.replayed.keys()].flatMap((model): LedgerEvent[] => {
    if (model === 'AuthorizationCode') return [{ ...base, personId, type: 'code.replayed', outcome: 'failure' }];
    return model === 'RefreshToken' ? [{ ...base, personId, type: 'refresh.reused', outcome: 'failure' }] : [];
  });
  if (replays.length > 0) return { events: replays };
  const error = isRecord(body) ? String(body.error) : '';
  return { events: [], failure: { ...base, type: 'token.refused', outcome: 'failure', details: { error, grantType } } };
}

function authorizationEvidence(ctx: KoaContextWithOIDC, unit: UnitOfWork): Evidence {
  const { entities, session, client } = ctx.oidc;
  const base = {
    clientId: client?.clientId,
    address: unit.address,
    userAgent: unit.userAgent,
    correlation: unit.requestId,
  };
  const code = entities.AuthorizationCode;
  if (code) {
    const details = { acr: String(code.acr ?? ''), scopes: code.scope ?? '' };
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

/** The error in the address the browser is sent back to; null when there is none. */
function errorSent(ctx: KoaContextWithOIDC): string | null {
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
