import type { Configuration, Grant, Provider } from 'oidc-provider';
import { SELF } from '../legal-persons/choice.ts';
import { nowSeconds } from '../shared/clock.ts';
import type { Connection, Database, SqlValue, Transaction } from '../storage/database.ts';
import { demandOnce } from '../storage/demand-once.ts';
import { KEPT } from '../storage/guarded-statements.ts';
import { type ConsentTerms, recordGiven, recordWithdrawal, type ShownNotice, termsKey } from './consent-records.ts';
import { markGrant, markOf } from './grant-mark.ts';
import type { Subjects } from './subjects.ts';

/** What a person has let one portal see: remembered over sessions, and the only thing that is. */
export interface Consent {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
  readonly grantedAt: number;
  /** What the portal said of itself then (consent-records.ts); null where it said nothing. */
  readonly terms: string | null;
}

interface ConsentRow {
  client_id: string;
  scopes: string;
  claims: string;
  granted_at: number;
  terms: string | null;
}

const FIND = `SELECT client_id, scopes, claims, granted_at, terms FROM consents WHERE person_id = $1 AND client_id = $2 ${KEPT}`;
const LIST = `SELECT client_id, scopes, claims, granted_at, terms FROM consents WHERE person_id = $1
  ORDER BY granted_at DESC`;
const SAVE = `INSERT INTO consents (person_id, client_id, scopes, claims, granted_at, updated_at, terms)
  VALUES ($1, $2, $3, $4, $5, $5, $6)
  ON CONFLICT (person_id, client_id) DO UPDATE SET scopes = $3, claims = $4, updated_at = $5, terms = $6`;
/** The first one, and one in place of the one that was read: nothing has to be looked at. */
const BEGIN = `INSERT INTO consents (person_id, client_id, scopes, claims, granted_at, updated_at, terms)
  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (person_id, client_id) DO NOTHING`;
const RENEW = `UPDATE consents SET scopes = $3, claims = $4, granted_at = $5, updated_at = $6, terms = $7
  WHERE person_id = $1 AND client_id = $2 AND scopes = $8 AND claims = $9 AND granted_at = $10
    AND terms IS NOT DISTINCT FROM $11`;
const FORGET = 'DELETE FROM consents WHERE person_id = $1 AND client_id = $2 RETURNING client_id, scopes, claims';

const toConsent = (row: ConsentRow): Consent => ({
  clientId: row.client_id,
  scopes: JSON.parse(row.scopes) as string[],
  claims: JSON.parse(row.claims) as string[],
  grantedAt: row.granted_at,
  terms: row.terms,
});

const findRow = (connection: Connection, personId: string, clientId: string): Promise<ConsentRow | undefined> =>
  connection.get<ConsentRow>(FIND, [personId, clientId]);

export async function findConsent(
  connection: Connection,
  personId: string,
  clientId: string,
): Promise<Consent | undefined> {
  const row = await findRow(connection, personId, clientId);
  return row && toConsent(row);
}

export async function listConsents(database: Database, personId: string): Promise<readonly Consent[]> {
  return (await database.all<ConsentRow>(LIST, [personId])).map(toConsent);
}

/** A consent that is given, and the one it takes the place of as it was read; undefined where there was none. */
export interface GivenConsent extends Pick<Consent, 'clientId' | 'scopes' | 'claims'> {
  readonly before: Consent | undefined;
}

/** Remembers a consent, and writes it into the ledger of consents. Resolves with the hash of what the person was shown. */
export async function saveConsent(
  tx: Transaction,
  personId: string,
  given: GivenConsent,
  notice: ShownNotice,
): Promise<string> {
  const { clientId, scopes, claims, before } = given;
  const now = nowSeconds();
  const what = [personId, clientId, JSON.stringify(scopes), JSON.stringify(claims)];
  const terms = termsKey(notice.terms);
  const isSaved =
    before === undefined
      ? demandOnce(tx, given, BEGIN, [...what, now, now, terms])
      : demandOnce(tx, given, RENEW, [...what, before.grantedAt, now, terms, ...asRead(before)]);
  if (!isSaved) await tx.run(SAVE, [...what, now, terms]);
  return recordGiven(tx, personId, given, notice);
}

const asRead = ({ scopes, claims, grantedAt, terms }: Consent): SqlValue[] => [
  JSON.stringify(scopes),
  JSON.stringify(claims),
  grantedAt,
  terms,
];

/** Forgets a consent, and writes into the ledger of consents that it was taken back; true when there was one. */
export async function forgetConsent(tx: Transaction, personId: string, clientId: string): Promise<boolean> {
  const row = await tx.get<Pick<ConsentRow, 'client_id' | 'scopes' | 'claims'>>(FORGET, [personId, clientId]);
  if (row === undefined) return false;
  await recordWithdrawal(tx, personId, row, 'web');
  return true;
}

/**
 * `loadExistingGrant`: a grant belongs to one session, one portal and one subject, so that signing out of one session ends its tokens
 * and no other's, and what was granted for one company never serves another. The person is not asked again: a new grant is opened
 * from the remembered consent. The operator's own account centre (`first_party`) needs no consent; a request with `prompt=consent`
 * asks in any case, by the library's rule. Without a subject chosen there is no grant yet. A portal that wants the data for something
 * else now, on another basis or under another notice, has no consent to that: only one given in this very sign-in counts.
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
    const firstParty = client.first_party === true;
    const remembered = firstParty ? undefined : await findRow(database, account.accountId, client.clientId);
    const isOutdated = remembered !== undefined && remembered.terms !== termsKey(client as ConsentTerms);
    const standing = [consented, isOutdated ? undefined : ofSession].find(
      (grant) => grant !== undefined && isFor(grant),
    );
    if (standing) {
      const held = markOf(standing)?.origin;
      // What was the only answer has been chosen now: from here on it is kept.
      if (mark !== undefined && (held === undefined || (held === 'only' && mark.origin !== 'only'))) {
        markGrant(standing, mark);
        await standing.save();
      }
      return standing;
    }
    // A session that has its grant, as at each further visit, needs no more of the consent than its terms.
    const consent = isOutdated || remembered === undefined ? undefined : toConsent(remembered);
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
