import type { Context, Middleware } from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { PortalSecrets } from '../defence/portal-secrets.ts';
import type { Failures } from '../ledger/flood.ts';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import { Fault } from '../shared/fault.ts';
import type { ArtifactChange, ArtifactStore } from '../storage/artifact-store.ts';
import type { Database } from '../storage/database.ts';
import { withReadAhead } from '../storage/read-ahead.ts';
import { type Evidence, evidenceOf, provenCaller } from './evidence.ts';
import { EnteredAtOnce } from './session-rows.ts';
import type { SignedOut } from './signed-out.ts';
import type { Subjects } from './subjects.ts';
import { type Spending, UnitOfWork, withUnit } from './unit-of-work.ts';

export interface CommitSources {
  readonly database: Pick<Database, 'engine'>;
  readonly store: ArtifactStore;
  readonly ledger: Ledger;
  readonly failures: Failures;
  readonly subjects: Pick<Subjects, 'entered'>;
  readonly portalSecrets: PortalSecrets;
  /** Writes a JSON or HTML refusal, as the library's own error handler would. */
  readonly refuse: (ctx: Context, error: string, description: string) => Promise<void>;
  /** Called after a commit that may have put notices into the outbox. */
  readonly wake: () => void;
  readonly signedOut: Pick<SignedOut, 'remember'>;
}

/**
 * Opens a unit of work, lets the library and our pages do theirs, and commits before the answer leaves (L8).
 * When the commit finds a code, refresh token or pushed request already used, nothing was written and the answer the library
 * had prepared is replaced: a race has exactly one winner (R1), and the loser ends the grant (R2).
 */
export function commitBeforeAnswer(sources: CommitSources): Middleware {
  const isApart = sources.database.engine === 'postgres';
  return async (ctx, next) => {
    const unit = new UnitOfWork(ctx.state.requestId as string, ctx.ip, ctx.get('user-agent').slice(0, 255));
    unit.mayBeginAnew = ctx.method === 'GET' && ctx.query.request_uri === undefined && ctx.query.request === undefined;
    const calledBy = PORTAL_PATHS.has(ctx.path) ? claimedClient(ctx) : undefined;
    if (calledBy !== undefined && sources.portalSecrets.isShut(ctx.ip, calledBy)) throw new Fault('too_many_requests');
    await withUnit(unit, isApart ? () => withReadAhead(next) : next);
    if (calledBy !== undefined && ctx.status === 401) await sources.portalSecrets.failed(ctx.ip, calledBy);
    const oidc = ctx.oidc as KoaContextWithOIDC['oidc'] | undefined;
    const protocol = oidc === undefined ? undefined : (ctx as unknown as KoaContextWithOIDC);
    // What failed on our side must leave nothing half done, least of all a spent token without its successor.
    if (protocol && ctx.status >= 500) return;
    const evidence: Evidence = protocol ? evidenceOf(protocol, unit, sources.subjects) : { events: [] };
    for (const event of evidence.events) unit.also((tx) => sources.ledger.append(tx, event));
    if (evidence.failure) await sources.failures.record(evidence.failure);
    if (unit.isEmpty) return;
    const outcome = await unit.commit(sources.store).catch(async (error: unknown) => {
      if (error instanceof EnteredAtOnce) return undefined;
      const event = protocol && error instanceof Fault ? undoneBy(error, protocol, unit) : undefined;
      if (event !== undefined) await sources.failures.record(event);
      throw error;
    });
    if (outcome === undefined) beginAnew(ctx);
    else if (!outcome.ok) await answerLoser(ctx, unit, outcome.conflict, sources);
    else if (oidc?.route === 'end_session_confirm') {
      sources.wake();
      if (oidc.session !== undefined) sources.signedOut.remember(ctx, oidc.session.uid);
    }
  };
}

/** Sends the browser to where it is. The next time it meets nobody: who was faster has written by now. */
function beginAnew(ctx: Context): void {
  ctx.remove('set-cookie');
  ctx.status = 303;
  ctx.set('location', `${ctx.path}${ctx.search}`);
  ctx.body = '';
}

/** Where portals prove who they are. */
const PORTAL_PATHS: ReadonlySet<string> = new Set(['/token', '/token/introspection', '/token/revocation', '/request']);
const BASIC = /^Basic ([A-Za-z0-9+/=]{1,400})$/i;

/** Under which name somebody calls, as far as it stands in the header; what it is worth is judged later. */
function claimedClient(ctx: Context): string {
  const [, encoded] = BASIC.exec(ctx.get('authorization')) ?? [];
  return encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('latin1').split(':', 1)[0]!;
}

/** What is told of a request whose changes were undone, by what ended while it was under way; of all else the fault tells. */
function undoneBy({ code }: Fault, { oidc }: KoaContextWithOIDC, unit: UnitOfWork): LedgerEvent | undefined {
  const base = {
    outcome: 'failure',
    clientId: oidc.client?.clientId,
    address: unit.address,
    userAgent: unit.userAgent,
    correlation: unit.requestId,
  } as const;
  // Between the choice and the code the mandate ended.
  if (code === 'acting_ended') {
    const personId = oidc.entities.AuthorizationCode?.accountId;
    return { ...base, type: 'subject.refused', personId, details: { reason: 'ended' } };
  }
  // Between the proof and the session the account was shut, or its password changed: with the session went the event that tells of the proof.
  if (code === 'ceremony_expired') {
    return { ...base, type: 'sign-in.refused', personId: oidc.session?.accountId, details: { reason: 'shut' } };
  }
  if (code === 'proof_spent') {
    return { ...base, type: 'sign-in.refused', personId: oidc.session?.accountId, details: { reason: 'replayed' } };
  }
  return undefined;
}

async function answerLoser(
  ctx: Context,
  unit: UnitOfWork,
  conflict: ArtifactChange,
  sources: CommitSources,
): Promise<void> {
  // A step of the sign-in that was taken twice at once: the other one counted.
  if (conflict.kind === 'destroy') throw new Fault('ceremony_expired', 'the step was taken meanwhile');
  if (conflict.kind !== 'consume') throw new Error(`unexpected conflict on ${conflict.kind}`);
  // Presented again within the seconds of a lost answer: the successor's ids follow from the spent token (token-ids.ts), so
  // what has been prepared is the first answer once more, and at most its access token needs to be written (A8).
  // Gone instead of spent: it was revoked in the meantime, and nobody reused it.
  const spent = await sources.store.find(conflict.model, conflict.id);
  const isSpent = spent !== undefined && spent.consumedAt !== null;
  if (conflict.model === 'RefreshToken' && ctx.status === 200 && isSpent) {
    await unit.reissue(sources.store);
    return;
  }
  ctx.remove('set-cookie');
  ctx.remove('location');
  if (conflict.model === 'PushedAuthorizationRequest') {
    await sources.refuse(ctx, 'invalid_request_uri', 'request_uri is invalid, expired, or was already used');
    return;
  }
  const { client, grantId, personId } = unit.spending ?? spentByLibrary(ctx as unknown as KoaContextWithOIDC);
  if (grantId !== undefined && client !== undefined) {
    await endGrant(grantId, sources, {
      ...provenCaller(client, unit),
      type: conflict.model === 'RefreshToken' ? (isSpent ? 'refresh.reused' : 'token.revoked') : 'code.replayed',
      outcome: 'failure',
      personId,
      correlation: unit.requestId,
    });
  }
  await sources.refuse(ctx, 'invalid_grant', 'grant request is invalid');
}

function spentByLibrary({ oidc }: KoaContextWithOIDC): Partial<Spending> {
  const { AuthorizationCode, RotatedRefreshToken, RefreshToken } = oidc.entities;
  const token = AuthorizationCode ?? RotatedRefreshToken ?? RefreshToken;
  return { client: oidc.client, grantId: token?.grantId, personId: token?.accountId };
}

/** The winner's tokens may just have been written: removing the Grant itself is what makes them worthless (R2). */
async function endGrant(grantId: string, { store, ledger }: CommitSources, event: LedgerEvent): Promise<void> {
  await store.apply(
    [
      { kind: 'revokeGrant', grantId },
      { kind: 'destroy', model: 'Grant', id: grantId },
    ],
    (tx) => ledger.append(tx, event),
  );
}
