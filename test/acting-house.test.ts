import test, { type ExecutionContext } from 'ava';
import type { ConfigOverrides } from '../src/config/schema.ts';
import { monotonicMs } from '../src/shared/clock.ts';
import { embeddedTest, postgresStore, postgresTest } from './support/databases.ts';
import type { HttpBrowser } from './support/http-client.ts';
import { type LogoutReceiver, logoutReceiver, toldAt } from './support/logout-receiver.ts';
import { answerOf, arrive, introspect, payloadOf, ROOMY, refresh, userinfo } from './support/portal-calls.ts';
import { tongban } from './support/product.ts';
import {
  authorizationPath,
  redemption,
  startServer,
  type TestPortal,
  type TestServer,
  WANG,
} from './support/server.ts';
import { allTold } from './support/told-events.ts';
import { until } from './support/waiting.ts';

/*
 * The whole house: companies claimed in the sample register, mandates granted and accepted, and what their end does to portals.
 */

const COMPANY = { uscc: '91339900MA9X01014C', name: '示例数字科技有限公司' };
const CHEN = { idNumber: '449900200002290028', name: '陈雨桐' };
const OFFLINE_CONSENT = { scope: 'openid profile offline_access', prompt: 'consent' };
const A_SECOND_MS = 1000;
const SOON_MS = 5000;
const DEAD = [false, false];

interface World {
  readonly server: TestServer;
  readonly wang: string;
  readonly chen: string;
  readonly legalPersonId: string;
  readonly business: LogoutReceiver;
  readonly portal: TestPortal;
}

async function world(t: ExecutionContext, overrides: ConfigOverrides = {}): Promise<World> {
  const business = await logoutReceiver(t);
  const outbound = { allowedOrigins: [business.origin], timeoutMs: 2500 };
  const server = await startServer(t, { ...ROOMY, outbound, ...overrides });
  const [wang, chen] = [await server.addPerson(WANG), await server.addPerson(CHEN)];
  const claimed = await server.house.legalPersons.claim({ personId: wang, ...COMPANY });
  if (!claimed.ok) throw new Error(claimed.reason);
  const portal = await server.addPortal({
    client_id: 'business-start-up',
    accepts_subjects: ['natural', 'legal'],
    scope: 'openid profile offline_access',
    ...toldAt(business),
  });
  return { server, wang, chen, legalPersonId: claimed.legalPerson.id, business, portal };
}

/** A mandate of the company for 陈雨桐, accepted; resolves with its id. */
async function mandate({ server, wang, chen, legalPersonId }: World): Promise<string> {
  const { mandates } = server.house;
  const granted = await mandates.grant(
    { kind: 'agent', legalPersonId, agent: { personId: chen }, matters: ['tax'] },
    { personId: wang },
  );
  if (!granted.ok) throw new Error(granted.reason);
  const accepted = await mandates.accept(granted.mandate.id, { personId: chen });
  if (!accepted.ok) throw new Error(accepted.reason);
  return granted.mandate.id;
}

type Tokens = Record<string, unknown>;

/** 陈雨桐 signs in and picks the company. */
async function enterAsAgent({ server, portal }: World, browser: HttpBrowser): Promise<Tokens> {
  const query = { ...OFFLINE_CONSENT, acting_as: COMPANY.uscc };
  const callback = await server.signIn(browser, portal, { identifier: CHEN.idNumber, query });
  return (await server.token(portal, redemption(callback))).body;
}

const usable = async ({ server, portal }: World, tokens: Tokens): Promise<readonly boolean[]> => [
  (await userinfo(server, tokens.access_token)).status === 200,
  (await introspect(server, portal, tokens.access_token)).active === true,
];

for (const [engine, overrides, runs] of [
  ['sqlite', async () => ({}), embeddedTest],
  ['postgres', async (t: ExecutionContext) => ({ database: { url: await postgresStore(t) } }), postgresTest],
] as const) {
  runs(
    `F3 C11 an agent acts for the company that appointed them, until its representative revokes (${engine})`,
    async (t) => {
      const own = await world(t, await overrides(t));
      const { server, wang, legalPersonId, business, portal } = own;
      const id = await mandate(own);
      const browser = server.browser();
      const tokens = await enterAsAgent(own, browser);
      const claims = payloadOf(tokens.id_token);
      t.like(claims.legal_person as Tokens, { ...COMPANY, category: '91', role: 'agent' });
      t.like((claims.legal_person as { mandate: Tokens }).mandate, { matters: ['tax'] });
      t.deepEqual(claims.act, { sub: claims.sub });
      t.is((await server.house.legalPersons.uses({ legalPersonId })).length, 1, 'the company sees who acted for it');

      const revokedAtMs = monotonicMs();
      t.true((await server.house.mandates.revoke(id, { personId: wang })).ok);
      t.deepEqual(await usable(own, tokens), DEAD);
      t.is((await refresh(server, portal, tokens.refresh_token)).status, 400);
      t.true(await until(() => business.told.length > 0, SOON_MS));
      t.true(business.told[0]!.atMs - revokedAtMs < A_SECOND_MS, `${business.told[0]!.atMs - revokedAtMs} ms`);
      t.like(business.told[0]?.claims, { sub: claims.sub, sid: claims.sid });
      await browser.get(authorizationPath(portal, { prompt: 'none' }));
      t.is(answerOf(browser.page).get('error'), null, 'there is one answer left: oneself');
    },
  );
}

test('F3 the representative, with a post, is somebody else than the agent', async (t) => {
  const own = await world(t);
  const { server, portal } = own;
  await mandate(own);
  const agent = await enterAsAgent(own, server.browser());
  const callback = await server.signIn(server.browser(), portal, {
    query: { ...OFFLINE_CONSENT, acting_as: COMPANY.uscc },
  });
  const { body } = await server.token(portal, redemption(callback));
  const [mine, theirs] = [payloadOf(body.id_token), payloadOf(agent.id_token)].map(
    ({ legal_person: company }) => company as Tokens,
  );
  t.is(mine?.role, 'legal_representative');
  t.is(mine?.mandate, undefined, 'a post covers everything and has no mandate');
  t.is(mine?.id, theirs?.id);
});

test('F3 C11 a revocation on the command line, in another process, reaches the portal within a second', async (t) => {
  const own = await world(t);
  const { server, wang, business } = own;
  const id = await mandate(own);
  const tokens = await enterAsAgent(own, server.browser());
  const env = { TONGBAN_PROFILE: 'test', TONGBAN_DATA_DIR: server.dataDir };
  const command = tongban(['mandate', 'revoke', id, '--reason', '客服热线', '--as', wang], env);
  let committedAtMs = 0;
  const watching = until(async () => {
    if ((await usable(own, tokens)).includes(true)) return false;
    committedAtMs = monotonicMs();
    return true;
  }, 30_000);
  const { code, stderr } = await command;
  t.is(code, 0, stderr);
  t.true(await watching);
  t.true(await until(() => business.told.length > 0, SOON_MS));
  t.true(business.told[0]!.atMs - committedAtMs < A_SECOND_MS, `${business.told[0]!.atMs - committedAtMs} ms`);
  t.is((await allTold(server, 'acting.ended')).length, 1);
});

test('F3 a company that is stopped takes everybody who acts for it along', async (t) => {
  const own = await world(t);
  const { server, legalPersonId, business, portal } = own;
  await mandate(own);
  const agent = await enterAsAgent(own, server.browser());
  const callback = await server.signIn(server.browser(), portal, {
    query: { ...OFFLINE_CONSENT, acting_as: COMPANY.uscc },
  });
  const representative = (await server.token(portal, redemption(callback))).body;
  t.is(await server.house.legalPersons.suspend(legalPersonId, { operator: 'Li' }, 'test'), 'changed');
  for (const tokens of [agent, representative]) t.deepEqual(await usable(own, tokens), DEAD);
  t.true(await until(() => business.told.length === 2, SOON_MS));
});

test('F3 going in against revoking: either there is no code, or what it bought is worth nothing', async (t) => {
  const own = await world(t);
  const { server, wang, portal } = own;
  const browser = server.browser();
  await enterAsAgentOnce(own, browser);
  const outcomes: string[] = [];
  for (let round = 1; round <= 8; round += 1) {
    const id = await mandate(own);
    const goIn = async (): Promise<Tokens | undefined> => {
      await browser.get(authorizationPath(portal, { scope: 'openid', acting_as: COMPANY.uscc }));
      await arrive(server, browser);
      if (browser.page.text.includes('/choose-subject"') || answerOf(browser.page).get('code') === null)
        return undefined;
      const { body, status } = await server.token(portal, redemption(new URL(browser.page.location ?? '')));
      return status === 200 ? body : undefined;
    };
    const revoke = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, round * 20));
      t.true((await server.house.mandates.revoke(id, { personId: wang })).ok);
    };
    const [tokens] = await Promise.all([goIn(), revoke()]);
    outcomes.push(tokens === undefined ? 'refused' : 'entered');
    if (tokens !== undefined) t.deepEqual(await usable(own, tokens), DEAD, `round ${round}`);
    t.is((await server.house.database.all('SELECT * FROM grant_subjects', [])).length, 0, `round ${round}`);
  }
  t.log(outcomes.join(' '));
});

/** Consent is given beforehand, so that going in is one request. */
async function enterAsAgentOnce(own: World, browser: HttpBrowser): Promise<void> {
  const id = await mandate(own);
  await enterAsAgent(own, browser);
  await own.server.house.mandates.revoke(id, { personId: own.wang });
}
