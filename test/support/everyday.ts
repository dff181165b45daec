import type { ExecutionContext } from 'ava';
import type { ConfigOverrides } from '../../src/config/schema.ts';
import { introspect, OFFLINE, ROOMY, refresh, revoke, tokensOf, userinfo } from './portal-calls.ts';
import { authorizationPath, LI, redemption, startServer, type TestServer, WANG } from './server.ts';
import { until } from './waiting.ts';

const COMPANY = { uscc: '91339900MA9X01014C', name: '示例数字科技有限公司' };
const CHEN = { idNumber: '449900200002290028', name: '陈雨桐' };
const ACCOUNT_PAGES = ['', '/documents', '/methods', '/sessions', '/portals', '/trail', '/companies', '/data'];
/** What runs by itself comes round while the pages are looked at. */
const BRISK = {
  ...ROOMY,
  ledger: { checkpointIntervalMs: 100 },
  sweep: { intervalMs: 1_000 },
  outbox: { pollIntervalMs: 200 },
} as const;

/**
 * A day of a province in a few minutes, with what a server does beside it: people sign in at portals, for themselves and for a company, tokens are
 * redeemed, asked after, renewed and taken back, the account is looked at, and people sign out.
 */
export async function everyday(t: ExecutionContext, overrides: ConfigOverrides): Promise<TestServer> {
  const server = await startServer(t, { ...BRISK, ...overrides });
  const { legalPersons, mandates } = server.house;
  const [wang, chen] = [await server.addPerson(WANG), await server.addPerson(CHEN)];
  await server.addPerson(LI);
  const claimed = await legalPersons.claim({ personId: wang, ...COMPANY });
  if (!claimed.ok) throw new Error(claimed.reason);
  const granted = await mandates.grant(
    { kind: 'agent', legalPersonId: claimed.legalPerson.id, agent: { personId: chen }, matters: ['tax'] },
    { personId: wang },
  );
  if (!granted.ok) throw new Error(granted.reason);
  await mandates.accept(granted.mandate.id, { personId: chen });
  const portal = await server.addPortal({ scope: 'openid profile identity offline_access' });
  const business = await server.addPortal({
    client_id: 'business-start-up',
    accepts_subjects: ['natural', 'legal'],
    scope: 'openid profile offline_access',
  });

  const browser = server.browser();
  await browser.get(authorizationPath(portal));
  await browser.follow();
  await browser.submit({ identifier: WANG.idNumber, password: 'not the password' }, '/identify');
  const tokens = await tokensOf(server, portal, browser, OFFLINE);
  await userinfo(server, tokens.access_token);
  await introspect(server, portal, tokens.access_token);
  const renewed = await refresh(server, portal, tokens.refresh_token);
  await browser.get(authorizationPath(portal, { prompt: 'none' }));
  await tokensOf(server, business, browser);
  for (const page of ACCOUNT_PAGES) {
    await browser.get(`/account${page}`);
    await browser.follow();
  }
  await revoke(server, portal, renewed.body.refresh_token);
  await server.token(portal, { grant_type: 'client_credentials' });

  const agent = server.browser();
  const acting = await server.signIn(agent, business, {
    identifier: CHEN.idNumber,
    actingAs: COMPANY.uscc,
    query: { ...OFFLINE, acting_as: COMPANY.uscc },
  });
  const code = redemption(acting);
  const asCompany = await server.token(business, code);
  await server.token(business, code);
  await userinfo(server, asCompany.body.access_token);
  await refresh(server, business, asCompany.body.refresh_token);
  await mandates.revoke(granted.mandate.id, { personId: wang }, 'over');
  await server.house.sessionEnds.endAll(wang, 'ended_by_person');
  await server.house.persons.disable(chen, 'test');
  const signed = await server.house.ledgerReader.signedSize();
  await until(async () => (await server.house.ledgerReader.signedSize()) > signed);
  return server;
}
