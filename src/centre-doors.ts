import { ACCOUNT_CENTRE } from './account-centre/entrances.ts';
import type { House } from './app.ts';
import type { RelyingParty } from './relying-parties/relying-party.ts';
import { isSmOnly } from './relying-parties/sm2-rules.ts';

/** The account centre is a portal of its own: it gets its session by the same ceremony as every other. */
export async function ensureAccountCentre({ config, relyingParties }: House): Promise<void> {
  const redirectUri = `${config.issuer}/account/entered`;
  const suits = (party: RelyingParty | undefined): boolean =>
    party !== undefined &&
    (!config.keys.smOnly || isSmOnly(party.record)) &&
    party.record.redirect_uris.includes(redirectUri);
  const existing = await relyingParties.inspect(ACCOUNT_CENTRE);
  if (suits(existing)) return;
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
  // Nodes that start together all come here, and one of them is the first.
  if (outcome.ok || suits(await relyingParties.inspect(ACCOUNT_CENTRE))) return;
  throw new Error(outcome.faults.map(({ field, reason }) => `${field} ${reason}`).join('; '));
}
