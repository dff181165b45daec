import { ACCOUNT_CENTRE } from './account-centre/entrances.ts';
import type { House } from './app.ts';
import { isSmOnly } from './relying-parties/sm2-rules.ts';

/** The account centre is a portal of its own: it gets its session by the same ceremony as every other. */
export async function ensureAccountCentre({ config, relyingParties }: House): Promise<void> {
  const redirectUri = `${config.issuer}/account/entered`;
  const existing = await relyingParties.inspect(ACCOUNT_CENTRE);
  const suits = !config.keys.smOnly || (existing !== undefined && isSmOnly(existing.record));
  if (suits && existing?.record.redirect_uris.includes(redirectUri)) return;
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
