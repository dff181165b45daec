import { randomUUID } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { BUSINESS_START_UP, CITIZEN_CENTRE, type PortalDefinition } from '../../examples/portals/definitions.ts';
import type { TokenAlg } from '../../examples/portals/identity-server.ts';
import { startPortal } from '../../examples/portals/portal.ts';
import { allow, seen, stage, typeSignIn } from '../support/seen.ts';
import { freePort, PASSWORD, startServer, type TestServer, WANG } from '../support/server.ts';
import { encoded, type KeySet, portalKey, signedBy } from '../support/sm2-portal.ts';
import { until } from '../support/waiting.ts';

const { visitor } = stage(async () => {});

interface Session {
  readonly signedIn: boolean;
  readonly sub: string | null;
}

const sessionAt = async (page: Page, url: string): Promise<Session> =>
  (await (await page.context().request.get(`${url}/session.json`)).json()) as Session;

/** A server, and the two sample portals beside it, of which each takes tokens of one algorithm. */
async function house(
  t: ExecutionContext,
  wanted: readonly (readonly [PortalDefinition, registered: TokenAlg, taken: TokenAlg])[],
): Promise<{ readonly server: TestServer; readonly urls: readonly string[] }> {
  const ports = [await freePort(), await freePort()];
  const urls = ports.map((port) => `http://localhost:${port}`);
  const server = await startServer(t, { outbound: { allowedOrigins: urls } });
  await server.addPerson(WANG);
  for (const [at, [definition, registered, taken]] of wanted.entries()) {
    const [url = '', port = 0] = [urls[at], ports[at]];
    const record = { ...definition.registration(url), client_uri: url, id_token_signed_response_alg: registered };
    const { id, secret } = await server.addPortal(record);
    const siblingUrl = urls[1 - at] ?? url;
    const portal = await startPortal({
      definition,
      issuer: server.issuer,
      clientId: id,
      clientSecret: secret,
      port,
      publicUrl: url,
      siblingUrl,
      tokenAlg: taken,
    });
    t.teardown(() => portal.close());
  }
  return { server, urls };
}

/** As ours would be, but for the key, the kind or the signature. */
async function forgedLogouts(server: TestServer, aud: string, sub: string | null): Promise<readonly string[]> {
  const { keys } = (await (await fetch(`${server.issuer}/jwks`)).json()) as { readonly keys: KeySet };
  const kid = keys.find(({ alg }) => alg === 'SGD_SM3_SM2')?.kid ?? '';
  const iat = Math.floor(Date.now() / 1000);
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const claims = { iss: server.issuer, aud, sub, iat, exp: iat + 120, jti: randomUUID(), events };
  const header = { typ: 'logout+jwt' };
  const foreign = portalKey(kid);
  const unsigned = `${encoded({ alg: 'none', kid, ...header })}.${encoded(claims)}.`;
  return [signedBy(foreign, claims, { header }), signedBy(foreign, claims), unsigned, 'no.token', ''];
}

seen('a portal that takes SM2 alone and one that takes ES256 alone share one sign-in and one sign-out', async (t) => {
  t.timeout(120_000);
  const { server, urls } = await house(t, [
    [CITIZEN_CENTRE, 'SGD_SM3_SM2', 'SGD_SM3_SM2'],
    [BUSINESS_START_UP, 'ES256', 'ES256'],
  ]);
  const [national = '', usual = ''] = urls;
  const { page } = await visitor(t, 'token-algorithms');
  await page.goto(`${national}/login`);
  await typeSignIn(page, WANG.idNumber, PASSWORD);
  await allow(page);
  await page.waitForURL(`${national}/`);

  await page.locator('a.other').click();
  await page
    .locator('button[name="acting_as"][value="self"], button[name="decision"][value="allow"]')
    .first()
    .waitFor();
  t.is(await page.locator('input[name="password"]').count(), 0, 'the second portal asks for no password');
  const forWhom = page.locator('button[name="acting_as"][value="self"]');
  if (await forWhom.count()) await forWhom.click();
  await allow(page);
  await page.waitForURL(`${usual}/`);
  const [first, second] = [await sessionAt(page, national), await sessionAt(page, usual)];
  t.true(first.signedIn && second.signedIn);
  t.not(first.sub, second.sub);

  for (const forged of await forgedLogouts(server, CITIZEN_CENTRE.clientId, first.sub)) {
    const body = new URLSearchParams({ logout_token: forged });
    t.is((await fetch(`${national}/backchannel-logout`, { method: 'POST', body })).status, 400);
  }
  t.true((await sessionAt(page, national)).signedIn, 'forged logout tokens end nothing');

  await page.goto(national);
  await page.locator('form[action="/logout"] button').click();
  await page.locator('button[name="logout"][value="yes"]').click();
  await page.waitForURL(`${national}/signed-out`);
  for (const url of urls) t.true(await until(async () => !(await sessionAt(page, url)).signedIn), url);

  await page.goto(`${usual}/login`);
  await page.locator('input[name="password"]').waitFor();
  await typeSignIn(page, WANG.idNumber, PASSWORD);
  await page.waitForURL(({ href }) => href === `${usual}/` || href.includes('/interaction/'));
  const again = page.locator('button[name="acting_as"][value="self"]');
  if (await again.count()) await again.click();
  await page.waitForURL(`${usual}/`);
  await page.goto(`${national}/login`);
  await page.waitForURL(`${national}/`);
  await page.goto(usual);
  await page.locator('form[action="/logout"] button').click();
  await page.locator('button[name="logout"][value="yes"]').click();
  for (const url of urls)
    t.true(await until(async () => !(await sessionAt(page, url)).signedIn), `from the other side: ${url}`);
});

seen('a portal that takes one algorithm lets nobody in with a token of the other', async (t) => {
  t.timeout(120_000);
  const { urls } = await house(t, [
    [CITIZEN_CENTRE, 'ES256', 'SGD_SM3_SM2'],
    [BUSINESS_START_UP, 'SGD_SM3_SM2', 'ES256'],
  ]);
  const { page } = await visitor(t, 'token-algorithms');
  for (const url of urls) {
    await page.goto(`${url}/login`);
    if (await page.locator('input[name="password"]').count()) await typeSignIn(page, WANG.idNumber, PASSWORD);
    await page
      .locator('button[name="acting_as"][value="self"], button[name="decision"][value="allow"]')
      .first()
      .waitFor();
    const forWhom = page.locator('button[name="acting_as"][value="self"]');
    if (await forWhom.count()) await forWhom.click();
    const answer = page.waitForResponse((response) => response.url().startsWith(`${url}/callback`));
    await allow(page);
    t.is((await answer).status(), 502, url);
    t.false((await sessionAt(page, url)).signedIn);
  }
});
