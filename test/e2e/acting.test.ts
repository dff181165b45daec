import type { ExecutionContext } from 'ava';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { BUSINESS_START_UP, CITIZEN_CENTRE, type PortalDefinition } from '../../examples/portals/definitions.ts';
import { startPortal } from '../../examples/portals/portal.ts';
import { monotonicMs } from '../../src/shared/clock.ts';
import { BRIDGES, ListedActing, mandateOf, TEA } from '../support/acting.ts';
import { ROOMY } from '../support/portal-calls.ts';
import type { Cleanup } from '../support/product.ts';
import { allow, NARROW, seen, stage, typeSignIn, type Visitor } from '../support/seen.ts';
import { freePort, LI, PASSWORD, startServer, type TestServer, WANG } from '../support/server.ts';

const A_SECOND_MS = 1000;
/** 王小明's, in the sample register. */
const SAMPLE = { uscc: '91339900MA9X01014C', name: '示例数字科技有限公司' };

/** The two sample portals at a server. */
interface Portals {
  readonly citizen: string;
  readonly business: string;
}

const acting = new ListedActing();
let server: TestServer;
let citizen: string;
let business: string;
let wang: string;
let tea: string;
let bridges: string;

/** A server in this process with both sample portals beside it. */
async function openWorld(
  cleanup: Cleanup,
  parts: Parameters<typeof startServer>[2] = {},
): Promise<Portals & { readonly server: TestServer }> {
  const ports = [await freePort(), await freePort()] as const;
  const origins = ports.map((port) => `http://127.0.0.1:${port}`);
  const opened = await startServer(
    undefined,
    { ...ROOMY, outbound: { allowedOrigins: origins, timeoutMs: 2500 } },
    parts,
  );
  cleanup.teardown(() => opened.stop());
  const open = async (definition: PortalDefinition, at: 0 | 1): Promise<string> => {
    const { id, secret } = await opened.addPortal({ ...definition.registration(origins[at]) });
    const options = { definition, issuer: opened.issuer, clientId: id, clientSecret: secret, port: ports[at] };
    const portal = await startPortal({ ...options, siblingUrl: origins[1 - at] ?? '' });
    cleanup.teardown(() => portal.close());
    return portal.url;
  };
  return { server: opened, citizen: await open(CITIZEN_CENTRE, 0), business: await open(BUSINESS_START_UP, 1) };
}

const { visitor: stranger } = stage(async (cleanup) => {
  ({ server, citizen, business } = await openWorld(cleanup, { acting }));
  wang = await server.addPerson(WANG);
  const li = await server.addPerson(LI);
  tea = acting.add(wang, TEA);
  bridges = acting.add(wang, BRIDGES, { mandate: mandateOf('mdt_bridges', { matters: ['tax', 'company-changes'] }) });
  for (let at = 1; at <= 45; at += 1) {
    acting.add(li, TEA, { name: `云山第${at}号商贸有限公司`, mandate: mandateOf(`mdt_${at}`, { matters: ['tax'] }) });
  }
});

const visitor = (t: ExecutionContext, options: BrowserContextOptions = {}): Promise<Visitor> =>
  stranger(t, 'acting', options);

const signIn = (page: Page, { idNumber }: { readonly idNumber: string }): Promise<void> =>
  typeSignIn(page, idNumber, PASSWORD);

const choice = (page: Page, ref: string) => page.locator(`button[name="acting_as"][value="${ref}"]`);

interface PortalSession {
  readonly signedIn: boolean;
  readonly claims: { readonly legal_person?: { readonly name: string; readonly role: string } } | null;
}

const sessionAt = async (page: Page, url: string): Promise<PortalSession> =>
  (await (await page.context().request.get(`${url}/session.json`)).json()) as PortalSession;

async function knowsWithinASecond(t: ExecutionContext, page: Page, url: string, sinceMs: number): Promise<void> {
  while ((await sessionAt(page, url)).signedIn && monotonicMs() - sinceMs < 10 * A_SECOND_MS) {
    await page.waitForTimeout(20);
  }
  const knownAfterMs = Math.round(monotonicMs() - sinceMs);
  t.log(`the portal knew after ${knownAfterMs} ms`);
  t.true(knownAfterMs < A_SECOND_MS, `${knownAfterMs} ms`);
}

/** The whole way; `name` is what the pictures are kept under. */
async function wholeWay(t: ExecutionContext, name: string, options: BrowserContextOptions): Promise<void> {
  const mandate = `mdt_way_${name}`;
  const ref = acting.add(wang, BRIDGES, {
    name: '云山桥梁工程勘察设计研究院有限公司',
    mandate: mandateOf(mandate, { matters: ['tax', 'company-changes', 'employer-insurance', 'general'] }),
  });
  const { page, watch, look } = await visitor(t, options);
  await page.goto(`${citizen}/login`);
  await signIn(page, WANG);
  if (await page.locator('button[name="decision"][value="allow"]').count()) await allow(page);
  await page.waitForURL(`${citizen}/`);
  t.is((await sessionAt(page, citizen)).claims?.legal_person, undefined);

  await page.locator('a.other').click();
  await choice(page, ref).waitFor();
  t.is(await page.locator('input[name="password"]').count(), 0, 'no second password');
  await look(`${name}-1-choose`);
  await choice(page, ref).click();
  const consent = page.locator('button[name="decision"][value="allow"]');
  if (page.url() !== `${business}/` && (await consent.count())) {
    await look(`${name}-2-consent`);
    await allow(page);
  }
  await page.waitForURL(`${business}/`);
  await look(`${name}-3-company`);
  t.is((await sessionAt(page, business)).claims?.legal_person?.role, 'agent');
  t.is((await sessionAt(page, citizen)).claims?.legal_person, undefined, 'at the other portal as oneself');

  await page.locator('a[href="/login?acting_as=self"]').click();
  await page.waitForURL(`${business}/`);
  t.is((await sessionAt(page, business)).claims?.legal_person, undefined, 'switched without a page');
  await look(`${name}-4-self`);
  await page.locator('a[href="/login?prompt=select_account"]').click();
  await page.locator('button[name="decision"][value="continue"]').click();
  await choice(page, ref).click();
  await page.waitForURL(`${business}/`);
  t.is((await sessionAt(page, business)).claims?.legal_person?.role, 'agent', 'and back again');

  const revokedAtMs = monotonicMs();
  acting.remove(ref);
  await server.house.subjectEnds.ended({ mandateId: mandate }, 'revoked');
  await knowsWithinASecond(t, page, business, revokedAtMs);
  t.true((await sessionAt(page, citizen)).signedIn, 'the citizen portal goes on');
  await page.goto(`${business}/login`);
  await choice(page, tea).waitFor();
  t.is(await choice(page, ref).count(), 0, 'what was revoked is offered no more');
  t.deepEqual(watch.problems, []);
}

seen('F3 from the citizen portal to a company at the other, to oneself and back, until it is revoked', (t) =>
  wholeWay(t, 'desktop', {}),
);

seen('F3 the same on a phone 360 px wide, in English', (t) =>
  wholeWay(t, 'phone', { viewport: NARROW, locale: 'en-GB' }),
);

seen(
  'F3 a representative claims a company and appoints an agent, who acts for it at the portal until it is revoked',
  async (t) => {
    const own = await openWorld(t);
    const agent = { idNumber: '449900200002290028', name: '陈雨桐' };
    for (const person of [WANG, agent]) await own.server.addPerson(person);
    const account = `${own.server.issuer}/account`;
    const representative = await visitor(t);
    await representative.page.goto(account);
    await signIn(representative.page, WANG);
    await representative.page.waitForURL(account);
    await representative.page.goto(`${account}/companies`);
    await representative.page.locator('main a[href="/account/companies/claim"]').click();
    await representative.page.locator('input[name="uscc"]').fill(SAMPLE.uscc);
    await representative.page.locator('input[name="name"]').fill(SAMPLE.name);
    await representative.page.locator('main form button.primary').click();
    await representative.page.waitForURL(/\/account\/companies\/lgp_/);
    const company = new URL(representative.page.url()).pathname;
    await representative.page.locator(`main a[href="${company}/grant"]`).click();
    await representative.page.locator('input[name="agentName"]').fill(agent.name);
    await representative.page.locator('input[name="agentNumber"]').fill(agent.idNumber);
    for (const matter of ['tax', 'company-changes']) {
      await representative.page.locator(`input[name="matter.${matter}"]`).check();
    }
    await representative.page.locator('main form button.primary').click();
    await representative.page.getByText('等待接受').waitFor();
    await representative.look('house-granted');

    const invited = await visitor(t);
    await invited.page.goto(account);
    await signIn(invited.page, agent);
    await invited.page.waitForURL(account);
    await invited.page.goto(`${account}/companies`);
    await invited.look('house-invited');
    await invited.page.locator('form[action="/account/mandates/accept"] button').click();
    await invited.page.getByText('已接受').first().waitFor();
    await invited.page.context().close();

    const { page, look } = await visitor(t);
    await page.goto(`${own.citizen}/login`);
    await signIn(page, agent);
    await allow(page);
    await page.waitForURL(`${own.citizen}/`);
    await page.locator('a.other').click();
    await page.getByText(SAMPLE.name).waitFor();
    t.is(await page.locator('input[name="password"]').count(), 0, 'no second password');
    t.is(await page.getByText('变更与备案、税务办理').count(), 1, 'matters are told by their names');
    await look('house-choose');
    await page.getByText(SAMPLE.name).click();
    await allow(page);
    await page.waitForURL(`${own.business}/`);
    t.deepEqual((await sessionAt(page, own.business)).claims?.legal_person?.role, 'agent');
    await page.locator('a[href="/login?acting_as=self"]').click();
    await page.waitForURL(`${own.business}/`);
    t.is((await sessionAt(page, own.business)).claims?.legal_person, undefined);
    await page.goto(`${own.business}/login?acting_as=${SAMPLE.uscc}`);
    await page.waitForURL(`${own.business}/`);
    t.is((await sessionAt(page, own.business)).claims?.legal_person?.name, SAMPLE.name);

    await representative.page.goto(`${own.server.issuer}${company}`);
    const revoke = representative.page.locator('form[action="/account/mandates/revoke"] button');
    const revoked = representative.page.waitForResponse(
      (answer) => answer.request().method() === 'POST' && answer.url().endsWith('/mandates/revoke'),
    );
    await revoke.click();
    await revoked;
    await knowsWithinASecond(t, page, own.business, monotonicMs());
    t.true((await sessionAt(page, own.citizen)).signedIn);
  },
);

seen('a person with very many companies finds one, without a script, on a phone and in elder mode', async (t) => {
  const { page } = await visitor(t, { viewport: NARROW, javaScriptEnabled: false });
  await page.goto(`${business}/login`);
  await signIn(page, LI);
  t.is(await page.locator('button.subject').count(), 21);
  await page.locator('a[rel="next"]').click();
  t.is(await page.locator('button.subject').count(), 21);
  await page.locator('input[name="q"]').fill('第45号');
  await page.locator('form.search button').click();
  t.is(await page.locator('button.subject').count(), 2);
  await page.locator('button.subject').last().click();
  await allow(page);
  await page.waitForURL(`${business}/`);
  t.is((await sessionAt(page, business)).claims?.legal_person?.name, '云山第45号商贸有限公司');

  const elder = await visitor(t, { viewport: NARROW });
  await elder.page.goto(`${business}/login`);
  await elder.page.locator('a.display-text').click();
  await signIn(elder.page, LI);
  await elder.page.locator('button.subject').first().waitFor();
  await elder.look('elder-many');
  const wide = await visitor(t, { colorScheme: 'dark' });
  await wide.page.goto(`${business}/login`);
  await signIn(wide.page, LI);
  await wide.page.locator('button.subject').first().waitFor();
  await wide.look('dark-many');
});

seen('the choice is made with the keyboard alone', async (t) => {
  const { page } = await visitor(t);
  await page.goto(`${business}/login`);
  await signIn(page, WANG);
  await choice(page, bridges).waitFor();
  for (let stops = 0; stops < 20; stops += 1) {
    if (await page.evaluate<boolean>(`document.activeElement.value === ${JSON.stringify(bridges)}`)) break;
    await page.keyboard.press('Tab');
  }
  const ring = await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle');
  t.not(ring, 'none');
  await page.keyboard.press('Enter');
  await page.waitForURL(({ pathname, origin }) => origin === business || pathname.startsWith('/interaction/'));
  if (await page.locator('button[name="decision"][value="allow"]').count()) await allow(page);
  await page.waitForURL(`${business}/`);
  t.is((await sessionAt(page, business)).claims?.legal_person?.name, BRIDGES.name);
});

seen('a refused choice and nobody to act for are told calmly', async (t) => {
  const { page, look } = await visitor(t, { viewport: NARROW });
  await page.goto(`${business}/login`);
  await signIn(page, WANG);
  await choice(page, bridges).waitFor();
  const gone = acting.add(wang, TEA, { name: '即将到期的公司', mandate: mandateOf('mdt_gone') });
  await page.reload();
  await choice(page, gone).waitFor();
  acting.remove(gone);
  await choice(page, gone).click();
  t.is(await page.locator('[role="alert"]').count(), 1);
  await look('ended');

  const companies = await server.addPortal({
    client_name: '企业专区',
    accepts_subjects: ['legal'],
    redirect_uris: [`${business}/callback`],
  });
  const zhao = { idNumber: '339900199203170021', name: '赵雅琴' };
  await server.addPerson(zhao);
  const other = await visitor(t, { viewport: NARROW });
  const query = new URLSearchParams({
    client_id: companies.id,
    redirect_uri: `${business}/callback`,
    response_type: 'code',
    scope: 'openid',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
  });
  await other.page.goto(`${server.issuer}/auth?${query}`);
  await signIn(other.page, zhao);
  await other.page.locator('button[name="decision"][value="cancel"]').waitFor();
  await other.look('nobody');
  await other.page.locator('button[name="decision"][value="cancel"]').click();
  await other.page.waitForURL(/error=access_denied/);
});
