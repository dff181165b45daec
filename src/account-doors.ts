import type { Context } from 'koa';
import type { AccountDoors, AccountEvent } from './account-centre/pages.ts';
import type { House } from './app.ts';
import { forgetConsent, listConsents } from './oidc/grants.ts';
import { randomToken } from './shared/random.ts';
import type { Interactions } from './sign-in/interactions.ts';

const ACCOUNT_CENTRE = 'account-centre';

/** The account centre is a portal of its own: it gets its session by the same ceremony as every other. */
export async function ensureAccountCentre({ config, relyingParties }: House): Promise<void> {
  const redirectUri = `${config.issuer}/account/entered`;
  const existing = await relyingParties.inspect(ACCOUNT_CENTRE);
  if (existing?.record.redirect_uris.includes(redirectUri)) return;
  const record = {
    client_id: ACCOUNT_CENTRE,
    client_name: '我的账户',
    'client_name#en': 'My account',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
    scope: 'openid',
    first_party: true,
  };
  const outcome = await (existing
    ? relyingParties.update(ACCOUNT_CENTRE, record, 'server')
    : relyingParties.add(record, 'server'));
  if (!outcome.ok) throw new Error(outcome.faults.map(({ field, reason }) => `${field} ${reason}`).join('; '));
}

const RECENT_EVENTS = `SELECT at_ms, type, outcome FROM ledger_events WHERE person_id = $1
  AND type <> 'token.issued' AND type IN ('sign-in.succeeded', 'sign-in.refused', 'session.ended', 'consent.given', 'consent.withdrawn', 'password.changed')
  ORDER BY at_ms DESC, seq DESC LIMIT 10`;

/** What the account centre may ask of the protocol room and the ledger, put together from both. */
export function accountDoors(house: House, interactions: Interactions, wakeOutbox: () => void): AccountDoors {
  const { config, database, ledger, sessionEnds } = house;
  return {
    currentPerson: (ctx: Context) => interactions.currentPerson(ctx),
    sessions: (personId) => sessionEnds.list(personId),
    async endSession(personId, uid) {
      const ended = await sessionEnds.end(personId, uid, 'ended_by_person');
      wakeOutbox();
      return ended;
    },
    consents: (personId) => listConsents(database, personId),
    async withdraw(personId, clientId, correlation) {
      await sessionEnds.endPortal(personId, clientId, async (tx) => {
        if (!(await forgetConsent(tx, personId, clientId))) return;
        await ledger.append(tx, { type: 'consent.withdrawn', personId, clientId, correlation });
      });
      wakeOutbox();
    },
    async recentEvents(personId) {
      const rows = await database.all<{ at_ms: number; type: AccountEvent['type']; outcome: AccountEvent['outcome'] }>(
        RECENT_EVENTS,
        [personId],
      );
      return rows.map(({ at_ms, type, outcome }) => ({ at: Math.floor(at_ms / 1000), type, outcome }));
    },
    signInUrl() {
      // The code is never redeemed, so nobody needs to know the verifier of this challenge.
      const query = new URLSearchParams({
        client_id: ACCOUNT_CENTRE,
        redirect_uri: `${config.issuer}/account/entered`,
        response_type: 'code',
        scope: 'openid',
        code_challenge: randomToken(43),
        code_challenge_method: 'S256',
      });
      return `/auth?${query}`;
    },
  };
}
