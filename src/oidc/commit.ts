import type { Middleware } from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Ledger, LedgerEvent } from '../ledger/ledger.ts';
import type { ArtifactChange, ArtifactStore } from '../storage/artifact-store.ts';
import { UnitOfWork, withUnit } from './unit-of-work.ts';

export interface CommitSources {
  readonly store: ArtifactStore;
  readonly ledger: Ledger;
  /** Writes a JSON or HTML refusal, as the library's own error handler would. */
  readonly refuse: (ctx: KoaContextWithOIDC, error: string, description: string) => Promise<void>;
  /** Called after a commit that may have put notices into the outbox. */
  readonly wake: () => void;
}

/**
 * Opens a unit of work, lets the library and our pages do theirs, and commits before the answer leaves (L8).
 * When the commit finds a code, refresh token or pushed request already used, nothing was written and the answer the library
 * had prepared is replaced: a race has exactly one winner (R1), and the loser ends the grant (R2).
 */
export function commitBeforeAnswer(sources: CommitSources): Middleware {
  return async (ctx, next) => {
    const unit = new UnitOfWork(ctx.state.requestId as string, ctx.ip, ctx.get('user-agent').slice(0, 255));
    await withUnit(unit, next);
    const oidc = ctx.oidc as KoaContextWithOIDC['oidc'] | undefined;
    const protocol = oidc === undefined ? undefined : (ctx as unknown as KoaContextWithOIDC);
    // What failed on our side must leave nothing half done, least of all a spent token without its successor.
    if (protocol && ctx.status >= 500) return;
    if (protocol) tellLedger(protocol, unit, sources);
    if (unit.isEmpty) return;
    const outcome = await unit.commit(sources.store);
    if (!outcome.ok) await answerLoser(protocol, unit, outcome.conflict, sources);
    else if (oidc?.route === 'end_session_confirm') sources.wake();
  };
}

/** What a protocol request means to the ledger, written with the change it tells of. */
function tellLedger(ctx: KoaContextWithOIDC, unit: UnitOfWork, { ledger }: CommitSources): void {
  const { oidc } = ctx;
  const tell = (event: LedgerEvent): void =>
    unit.also((tx) => ledger.append(tx, { address: unit.address, correlation: unit.requestId, ...event }));
  if (oidc.route === 'token') {
    const { AccessToken, ClientCredentials } = oidc.entities;
    const issued = AccessToken ?? ClientCredentials;
    if (ctx.status === 200 && issued) {
      tell({
        type: 'token.issued',
        clientId: oidc.client?.clientId,
        ...(AccessToken ? { personId: AccessToken.accountId, sessionUid: AccessToken.sessionUid } : {}),
        details: { grantType: String(oidc.params?.grant_type), scopes: issued.scope ?? '' },
      });
    } else if (ctx.status === 400) {
      for (const model of unit.replayed.keys()) {
        if (model === 'AuthorizationCode')
          tell({ type: 'code.replayed', outcome: 'failure', clientId: oidc.client?.clientId });
        if (model === 'RefreshToken')
          tell({ type: 'refresh.reused', outcome: 'failure', clientId: oidc.client?.clientId });
      }
    }
  } else if (oidc.route === 'revocation' && ctx.status === 200 && !unit.isEmpty) {
    tell({ type: 'token.revoked', clientId: oidc.client?.clientId });
  } else if (oidc.route === 'end_session_confirm' && ctx.status === 303 && oidc.params?.logout) {
    tell({
      type: 'session.ended',
      personId: oidc.session?.accountId,
      sessionUid: oidc.session?.uid,
      details: { cause: 'signed_out' },
    });
  }
}

async function answerLoser(
  ctx: KoaContextWithOIDC | undefined,
  unit: UnitOfWork,
  conflict: ArtifactChange,
  sources: CommitSources,
): Promise<void> {
  if (!ctx || conflict.kind !== 'consume') throw new Error(`unexpected conflict on ${conflict.kind}`);
  // Presented again within the seconds of a lost answer: the successor's ids follow from the spent token (token-ids.ts), so
  // what the library has prepared is the first answer once more, and nothing of it needed to be written (A8).
  if (conflict.model === 'RefreshToken' && ctx.status === 200) {
    const spent = await sources.store.find(conflict.model, conflict.id);
    // Gone instead of spent: it was revoked in the meantime, and the tokens just made were never stored.
    if (spent !== undefined && spent.consumedAt !== null) return;
  }
  ctx.remove('set-cookie');
  ctx.remove('location');
  if (conflict.model === 'PushedAuthorizationRequest') {
    await sources.refuse(ctx, 'invalid_request_uri', 'request_uri is invalid, expired, or was already used');
    return;
  }
  const clientId = ctx.oidc.client?.clientId ?? '';
  const { AuthorizationCode, RotatedRefreshToken, RefreshToken } = ctx.oidc.entities;
  const grantId = (AuthorizationCode ?? RotatedRefreshToken ?? RefreshToken)?.grantId;
  if (grantId) await endGrant(unit, grantId, clientId, conflict.model, sources);
  await sources.refuse(ctx, 'invalid_grant', 'grant request is invalid');
}

/** The winner's tokens may just have been written: removing the Grant itself is what makes them worthless (R2). */
async function endGrant(
  unit: UnitOfWork,
  grantId: string,
  clientId: string,
  model: string,
  { store, ledger }: CommitSources,
): Promise<void> {
  const type = model === 'RefreshToken' ? 'refresh.reused' : 'code.replayed';
  await store.apply(
    [
      { kind: 'revokeGrant', grantId },
      { kind: 'destroy', model: 'Grant', id: grantId },
    ],
    (tx) =>
      ledger.append(tx, { type, outcome: 'failure', clientId, address: unit.address, correlation: unit.requestId }),
  );
}
