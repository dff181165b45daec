import type { Configuration, Grant, Provider } from 'oidc-provider';
import { SELF } from '../legal-persons/choice.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { markGrant, markOf } from './grant-mark.ts';
import type { Subjects } from './subjects.ts';

/** What a person has let one portal see: remembered over sessions, and the only thing that is. */
export interface Consent {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
  readonly grantedAt: number;
}

interface ConsentRow {
  client_id: string;
  scopes: string;
  claims: string;
  granted_at: number;
}

const FIND = 'SELECT client_id, scopes, claims, granted_at FROM consents WHERE person_id = $1 AND client_id = $2';
const LIST = 'SELECT client_id, scopes, claims, granted_at FROM consents WHERE person_id = $1 ORDER BY granted_at DESC';
const SAVE = `INSERT INTO consents (person_id, client_id, scopes, claims, granted_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)
  ON CONFLICT (person_id, client_id) DO UPDATE SET scopes = $3, claims = $4, updated_at = $5`;
const FORGET = 'DELETE FROM consents WHERE person_id = $1 AND client_id = $2';

const toConsent = (row: ConsentRow): Consent => ({
  clientId: row.client_id,
  scopes: JSON.parse(row.scopes) as string[],
  claims: JSON.parse(row.claims) as string[],
  grantedAt: row.granted_at,
});

export async function findConsent(
  database: Database,
  personId: string,
  clientId: string,
): Promise<Consent | undefined> {
  const row = await database.get<ConsentRow>(FIND, [personId, clientId]);
  return row && toConsent(row);
}

export async function listConsents(database: Database, personId: string): Promise<readonly Consent[]> {
  return (await database.all<ConsentRow>(LIST, [personId])).map(toConsent);
}

export async function saveConsent(
  tx: Transaction,
  personId: string,
  clientId: string,
  scopes: readonly string[],
  claims: readonly string[],
): Promise<void> {
  await tx.run(SAVE, [personId, clientId, JSON.stringify(scopes), JSON.stringify(claims), nowSeconds()]);
}

/** Forgets a consent; true when there was one. */
export async function forgetConsent(tx: Transaction, personId: string, clientId: string): Promise<boolean> {
  return (await tx.run(FORGET, [personId, clientId])) > 0;
}

/**
 * `loadExistingGrant`: a grant belongs to one session, one portal and one subject, so that signing out of one session ends its tokens
 * and no other's, and what was granted for one company never serves another. The person is not asked again: a new grant is opened
 * from the remembered consent. The operator's own account centre (`first_party`) needs no consent; a request with `prompt=consent`
 * asks in any case, by the library's rule. Without a subject chosen there is no grant yet.
 */
export function grantLoader(
  database: Database,
  subjects: Pick<Subjects, 'choiceOf' | 'markFor' | 'replaces'>,
): NonNullable<Configuration['loadExistingGrant']> {
  return async (ctx) => {
    const { client, session, account, result, provider } = ctx.oidc;
    if (!client || !account) return undefined;
    const choice = await subjects.choiceOf(ctx);
    if (choice?.state !== 'chosen') return undefined;
    const { actingAs } = choice.answer;
    const mark = subjects.markFor(ctx);
    const find = async (grantId: string | undefined): Promise<Grant | undefined> => {
      const grant = grantId ? await (provider as Provider).Grant.find(grantId) : undefined;
      return grant?.accountId === account.accountId && grant.clientId === client.clientId ? grant : undefined;
    };
    const isFor = (grant: Grant): boolean => (markOf(grant)?.actingAs ?? SELF) === actingAs;
    const ofSession = await find(session?.grantIdFor(client.clientId));
    if (ofSession && !isFor(ofSession)) subjects.replaces(ctx, ofSession);
    const consented = await find(result?.consent?.grantId);
    const standing = [consented, ofSession].find((grant) => grant !== undefined && isFor(grant));
    if (standing) {
      const held = markOf(standing)?.origin;
      // What was the only answer has been chosen now: from here on it is kept.
      if (mark !== undefined && (held === undefined || (held === 'only' && mark.origin !== 'only'))) {
        markGrant(standing, mark);
        await standing.save();
      }
      return standing;
    }
    const firstParty = client.first_party === true;
    const consent = firstParty ? undefined : await findConsent(database, account.accountId, client.clientId);
    const scopes = firstParty ? [...ctx.oidc.requestParamOIDCScopes] : (consent?.scopes ?? []);
    if (scopes.length === 0) return undefined;
    const grant = new (provider as Provider).Grant({ accountId: account.accountId, clientId: client.clientId });
    grant.addOIDCScope(scopes.join(' '));
    if (consent && consent.claims.length > 0) grant.addOIDCClaims([...consent.claims]);
    if (mark !== undefined) markGrant(grant, mark);
    await grant.save();
    return grant;
  };
}
