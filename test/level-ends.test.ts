import test from 'ava';
import { logoutReceiver, toldAt } from './support/logout-receiver.ts';
import { introspect, payloadOf, ROOMY, refresh, userinfo } from './support/portal-calls.ts';
import { allow, enter, somebody } from './support/second-factor.ts';
import { redemption, startServer } from './support/server.ts';
import { signedToTheEnd, trailOf } from './support/trail.ts';
import { until } from './support/waiting.ts';

const OFFLINE = { scope: 'openid offline_access', prompt: 'consent' } as const;
const TWO = 'urn:tongban:acr:2';

test('C5 an identity that falls ends what portals hold that want more, tells them and the person, and no other portal', async (t) => {
  const receiver = await logoutReceiver(t);
  const server = await startServer(t, {
    ...ROOMY,
    ledger: { checkpointIntervalMs: 100 },
    outbound: { allowedOrigins: [receiver.origin] },
  });
  const wants = await server.addPortal({ minimum_acr: TWO, ...toldAt(receiver) });
  const takesAll = await server.addPortal(toldAt(receiver));
  const { id, idNumber } = await somebody(server);
  const browser = server.browser();
  const tokens = [];
  for (const portal of [wants, takesAll]) {
    await enter(server, browser, portal, idNumber, OFFLINE);
    await allow(server, browser);
    const { body } = await server.token(portal, redemption(new URL(browser.page.location ?? '')));
    tokens.push(body);
  }
  const [held, other] = tokens as [Record<string, unknown>, Record<string, unknown>];
  t.is((await introspect(server, wants, held.access_token)).active, true);

  await server.house.persons.setLevel(id, { ial: 1, reason: 'register_mismatch', origin: 'test' });
  t.is((await introspect(server, wants, held.access_token)).active, false);
  t.is((await userinfo(server, held.access_token)).status, 401);
  t.is((await refresh(server, wants, held.refresh_token)).body.error, 'invalid_grant');
  t.true(await until(async () => receiver.told.length === 1));
  t.is(receiver.told[0]?.claims.aud, wants.id);
  const [closed] = await server.events('portal.closed');
  t.like(closed, {
    subject: id,
    client: wants.id,
    actor: 'system',
    data: { cause: 'level_fell', minimum: TWO, ial: 1 },
  });

  t.is((await userinfo(server, other.access_token)).status, 200);
  const { status, body } = await refresh(server, takesAll, other.refresh_token);
  t.is(status, 200);
  t.is(payloadOf(body.id_token).acr, 'urn:tongban:acr:1', 'what is refreshed says what holds now');
  const [session] = await server.house.sessionEnds.list(id);
  t.deepEqual(session?.clientIds, [takesAll.id]);

  await enter(server, browser, wants, idNumber);
  t.regex(browser.page.text, /\/account\/documents/, 'the way back is told');
  t.is(browser.page.status, 200);
  await server.house.persons.setLevel(id, { ial: 1, reason: 'register_mismatch', origin: 'test' });
  t.is((await server.events('portal.closed')).length, 1, 'the same fall ends nothing twice');
  await signedToTheEnd(server);
  await browser.get('/account/trail');
  await browser.follow();
  const lines = trailOf(browser.page.text).map(({ what }) => what);
  t.true(
    lines.some((what) => what.includes('身份核验等级下降')),
    lines.join(),
  );
});

test('C5 a minimum that was raised holds for what was granted before: it is not refreshed', async (t) => {
  const server = await startServer(t, ROOMY);
  const { idNumber } = await somebody(server);
  const portal = await server.addPortal();
  const browser = server.browser();
  await enter(server, browser, portal, idNumber, OFFLINE);
  await allow(server, browser);
  const { body } = await server.token(portal, redemption(new URL(browser.page.location ?? '')));
  const first = await refresh(server, portal, body.refresh_token);
  t.is(first.status, 200);
  const { record } = (await server.house.relyingParties.inspect(portal.id))!;
  const { response_types: _types, ...rest } = record;
  const updated = await server.house.relyingParties.update(
    portal.id,
    { ...rest, minimum_acr: 'urn:tongban:acr:3' },
    'test',
  );
  t.true(updated.ok);
  const refused = await refresh(server, portal, first.body.refresh_token);
  t.is(refused.body.error, 'invalid_grant');
});

test('C5 portals that count as a partner does ask and are told in its words, and each word is a level of the identity', async (t) => {
  const server = await startServer(t, ROOMY);
  const portal = await server.addPortal({ assurance_scale: 'guangdong' });
  const { idNumber } = await somebody(server);
  const browser = server.browser();
  const tokens = await tokensBy(server, portal, browser, idNumber, {});
  t.is(payloadOf(tokens.id_token).acr, '三级', 'matched with a register, one factor');
  const essential = (word: string) => ({
    claims: JSON.stringify({ id_token: { acr: { essential: true, value: word } } }),
  });
  t.is(payloadOf((await tokensBy(server, portal, browser, idNumber, essential('三级'))).id_token).acr, '三级');
  t.is(payloadOf((await tokensBy(server, portal, browser, idNumber, essential('二级'))).id_token).acr, '二级');
  await enter(server, browser, portal, idNumber, essential('四级'));
  t.regex(browser.page.text, /\/account\/documents/, 'the living person was never compared');
  for (const strange of ['六级', 'urn:tongban:acr:1']) {
    await enter(server, browser, portal, idNumber, essential(strange));
    t.is(new URL(browser.page.location ?? '').searchParams.get('error'), 'unmet_authentication_requirements', strange);
  }
  await t.throwsAsync(server.addPortal({ assurance_scale: 'atlantis' }), { message: /assurance_scale/ });
});

async function tokensBy(
  server: Awaited<ReturnType<typeof startServer>>,
  portal: { readonly id: string; readonly secret: string },
  browser: ReturnType<Awaited<ReturnType<typeof startServer>>['browser']>,
  idNumber: string,
  query: Record<string, string>,
): Promise<Record<string, unknown>> {
  await enter(server, browser, portal, idNumber, query);
  await allow(server, browser);
  const { body } = await server.token(portal, redemption(new URL(browser.page.location ?? '')));
  return body;
}
