import type { ExecutionContext } from 'ava';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { freshPlace, type Product, startProduct, tongban } from '../support/product.ts';
import { allow, NARROW, seen, stage, typeSignIn, type Visitor } from '../support/seen.ts';

const TOLD_WITHIN_MS = 10_000;
const PASSWORD = 'one-login-for-all';
const WANG = '339900199001011014';
const LI = '33990019850701009X';
const CHEN = '449900200002290028';

/** One for each way that must be asked for consent, since it is given once. */
const FRESH_PEOPLE = [
  ['339900197809230034', '周建国'],
  ['339900196505120042', '吴秀英'],
  ['339900200408150054', '郑浩然'],
  ['449900198811050075', '欧阳修远'],
  ['449900197302140086', '阿依古丽·买买提'],
  ['339900199906300064', '孙丽'],
  ['339900197102030012', '郑安宁'],
] as const;

let product: Product;
const { visitor: stranger } = stage(async (cleanup) => {
  product = await startProduct(cleanup, await freshPlace(cleanup));
  for (const [idNumber, name] of FRESH_PEOPLE) {
    const words = ['person', 'add', '--id-number', idNumber, '--name', name, '--ial', '2', '--password-stdin'];
    const added = await tongban(words, { TONGBAN_DATA_DIR: product.dataDir }, `${PASSWORD}\n`);
    if (added.code !== 0) throw new Error(added.stderr);
  }
});

const visitor = (t: ExecutionContext, options: BrowserContextOptions = {}): Promise<Visitor> =>
  stranger(t, 'e2e', options);

const portal = (at: 0 | 1): string => product.portals[at];

const fillSignIn = (page: Page, identifier = WANG, password = PASSWORD): Promise<void> =>
  typeSignIn(page, identifier, password);

/** From a portal's own page to being signed in there, whatever is asked on the way. */
async function signInAt(page: Page, url: string, identifier?: string): Promise<void> {
  await page.goto(`${url}/login`);
  if (await page.locator('input[name="password"]').count()) await fillSignIn(page, identifier);
  await page.waitForURL(({ pathname, origin }) => origin === url || pathname.startsWith('/interaction/'));
  const forWhom = page.locator('button[name="acting_as"][value="self"]');
  if (await forWhom.count()) await forWhom.click();
  const asked = page.locator('button[name="decision"][value="allow"]');
  if (await asked.count()) await asked.click();
  await page.waitForURL(`${url}/`);
}

interface PortalSession {
  readonly signedIn: boolean;
  readonly sub: string | null;
}

async function sessionAt(page: Page, url: string): Promise<PortalSession> {
  return (await (await page.context().request.get(`${url}/session.json`)).json()) as PortalSession;
}

async function letGo(page: Page, url: string): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < TOLD_WITHIN_MS; waitedMs += 100) {
    if (!(await sessionAt(page, url)).signedIn) return true;
    await page.waitForTimeout(100);
  }
  return false;
}

/** The whole way of one person; the pictures are kept under `name`. */
async function wholeWay(
  t: ExecutionContext,
  name: string,
  identifier: string,
  options: BrowserContextOptions,
): Promise<void> {
  const { page, watch, look } = await visitor(t, options);
  await page.goto(portal(0));
  await look(`${name}-1-portal`);
  await page.locator('a.action[href="/login"]').click();
  await look(`${name}-2-sign-in`);
  await fillSignIn(page, identifier);
  await page.locator('button[name="decision"][value="allow"]').waitFor();
  await look(`${name}-3-consent`);
  await allow(page);
  await page.waitForURL(`${portal(0)}/`);
  await look(`${name}-4-signed-in`);

  await page.locator('a.other').click();
  await page.locator('button[name="decision"][value="allow"]').waitFor();
  t.is(await page.locator('input[name="password"]').count(), 0, 'the second portal asks for no password');
  await look(`${name}-5-second-consent`);
  await allow(page);
  await page.waitForURL(`${portal(1)}/`);
  await look(`${name}-6-second-signed-in`);
  const [first, second] = [await sessionAt(page, portal(0)), await sessionAt(page, portal(1))];
  t.true(first.signedIn && second.signedIn);
  t.not(first.sub, second.sub, 'each portal knows the person by a name of its own');

  await page.goto(`${product.issuer}/`);
  await look(`${name}-7-home`);
  await page.goto(`${product.issuer}/account`);
  for (const url of product.portals) t.is(await page.getByText(new URL(url).host, { exact: false }).count(), 1, url);
  await look(`${name}-8-account`);

  await page.goto(portal(0));
  await page.locator('form[action="/logout"] button').click();
  await page.locator('button[name="logout"][value="yes"]').waitFor();
  await look(`${name}-9-logout`);
  await page.locator('button[name="logout"][value="yes"]').click();
  await page.waitForURL(({ pathname }) => pathname !== '/session/end');
  t.false((await sessionAt(page, portal(0))).signedIn);
  t.true(await letGo(page, portal(1)), 'the other portal is told behind the back');
  await look(`${name}-10-signed-out`);
  for (const url of product.portals) {
    await page.goto(`${url}/login?prompt=none`);
    t.true(page.url().startsWith(url), 'asked silently, the server answers at once');
    t.is(new URL(page.url()).searchParams.get('error'), 'login_required');
  }
  await look(`${name}-11-login-required`);
  t.deepEqual(watch.problems, []);
}

seen('G1 one login opens both portals and one logout closes both (desktop, Chinese)', (t) =>
  wholeWay(t, 'zh-desktop', FRESH_PEOPLE[0][0], {}),
);

seen('G1 the same on a phone 360 px wide', (t) => wholeWay(t, 'zh-phone', FRESH_PEOPLE[1][0], { viewport: NARROW }));

seen('G1 the same in English, as the browser asks for it', (t) =>
  wholeWay(t, 'en-desktop', FRESH_PEOPLE[2][0], { locale: 'en-GB' }),
);

seen('G1 the same in English on a dark phone', (t) =>
  wholeWay(t, 'en-dark-phone', FRESH_PEOPLE[3][0], { locale: 'en-GB', viewport: NARROW, colorScheme: 'dark' }),
);

seen('the pages in the dark, on a desktop', (t) => wholeWay(t, 'zh-dark', FRESH_PEOPLE[4][0], { colorScheme: 'dark' }));

seen(
  'A23 loaded again, the page that answers a password sends nothing again; without scripts the browser is sent to it',
  async (t) => {
    const consentOf = async (options: BrowserContextOptions): Promise<readonly string[]> => {
      const { page } = await visitor(t, options);
      await page.goto(`${portal(0)}/login`);
      const sent: string[] = [];
      page.on('request', (asked) => {
        if (asked.isNavigationRequest()) sent.push(asked.method());
      });
      await fillSignIn(page, FRESH_PEOPLE[6][0]);
      const allowed = page.locator('button[name="decision"][value="allow"]');
      await allowed.waitFor();
      t.regex(new URL(page.url()).pathname, /^\/interaction\/[\w-]+$/);
      await page.reload();
      await allowed.waitFor();
      return sent;
    };
    t.deepEqual(
      await consentOf({}),
      ['POST', 'GET'],
      'one answer to the password, and no password when it is loaded again',
    );
    t.deepEqual(await consentOf({ javaScriptEnabled: false }), ['POST', 'GET', 'GET']);
  },
);

seen('a person who logs out at the account centre sees who was told, and both portals let go', async (t) => {
  const { page, look } = await visitor(t, { viewport: NARROW });
  await signInAt(page, portal(0), LI);
  await signInAt(page, portal(1), LI);
  await page.goto(`${product.issuer}/account`);
  await page.locator('a[href="/session/end"]').click();
  await look('logout-from-account');
  await page.locator('button[name="logout"][value="yes"]').click();
  await page.waitForURL(/\/session\/end\/success/);
  await look('logout-done');
  for (const url of product.portals) t.true(await letGo(page, url));
});

seen('everything works with the keyboard alone, and the focus can be seen', async (t) => {
  const { page, look } = await visitor(t);
  await page.goto(`${portal(0)}/login`);
  await page.keyboard.press('Tab');
  t.is(await focused(page), 'a.skip', 'the first stop leads past the header');
  await tabTo(page, 'input[name="identifier"]');
  await page.keyboard.type(CHEN);
  await page.keyboard.press('Tab');
  await page.keyboard.type(PASSWORD);
  await look('keyboard-sign-in');
  await page.keyboard.press('Enter');
  await page.locator('button[name="decision"][value="allow"]').waitFor();
  await tabTo(page, 'button[name="decision"][value="allow"]');
  const ring = await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle');
  t.not(ring, 'none', 'the focus has an outline');
  await look('keyboard-consent');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${portal(0)}/`);
  t.true((await sessionAt(page, portal(0))).signedIn);
});

/** What has the focus, as its tag with its first class. */
const focused = (page: Page): Promise<string> =>
  page.evaluate('[document.activeElement.tagName.toLowerCase(), ...document.activeElement.classList].join(".")');

async function tabTo(page: Page, selector: string): Promise<void> {
  for (let stops = 0; stops < 20; stops += 1) {
    if (await page.evaluate<boolean>(`document.activeElement.matches(${JSON.stringify(selector)})`)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`${selector} cannot be reached by the keyboard`);
}

seen('everything works without JavaScript', async (t) => {
  const { page, look } = await visitor(t, { javaScriptEnabled: false, viewport: NARROW });
  await page.goto(portal(1));
  await page.locator('a.action[href="/login"]').click();
  await look('scriptless-sign-in');
  t.is(await page.locator('button.reveal:visible').count(), 0, 'no button that could do nothing');
  await fillSignIn(page, CHEN);
  await allow(page);
  await page.waitForURL(`${portal(1)}/`);
  t.true((await sessionAt(page, portal(1))).signedIn);
  await page.locator('form[action="/logout"] button').click();
  await page.locator('button[name="logout"][value="yes"]').click();
  await page.waitForURL(`${portal(1)}/signed-out`);
  t.false((await sessionAt(page, portal(1))).signedIn);
});

seen('the language follows the switch before the browser, and elder mode stays', async (t) => {
  const { page, look } = await visitor(t, { viewport: NARROW });
  await page.goto(`${portal(0)}/login`);
  t.is(await page.locator('html').getAttribute('lang'), 'zh-CN');
  const usual = await sizeOf(page);
  await page.locator('a[hreflang="en"]').click();
  t.is(await page.locator('html').getAttribute('lang'), 'en');
  await look('switched-to-english');
  await page.locator('a.display-text').click();
  t.is(await page.locator('html').getAttribute('data-text'), 'large');
  t.true((await sizeOf(page)) >= usual * 1.15, 'the letters grow');
  await page.locator('a[hreflang="zh-CN"]').click();
  await look('elder-sign-in');
  await fillSignIn(page, FRESH_PEOPLE[5][0]);
  await page.locator('button[name="decision"][value="deny"]').waitFor();
  t.is(await page.locator('html').getAttribute('data-text'), 'large', 'the choice is remembered');
  await look('elder-consent');
});

const sizeOf = (page: Page): Promise<number> =>
  page.evaluate('Number.parseFloat(getComputedStyle(document.querySelector("button.primary")).fontSize)');

seen('a wrong password is told calmly, keeps the number and can be mended', async (t) => {
  const { page, look } = await visitor(t, { viewport: NARROW });
  await page.goto(`${portal(0)}/login`);
  await fillSignIn(page, CHEN, 'something-else-entirely');
  t.is(await page.locator('[role="alert"]').count(), 1);
  t.is(await page.locator('input[name="identifier"]').inputValue(), CHEN);
  t.is(await page.locator('input[name="password"]').inputValue(), '');
  t.true((await page.title()).startsWith('错误'));
  await look('wrong-password');
  await fillSignIn(page, '33990019900101101', PASSWORD);
  t.is(await page.locator('input[name="identifier"][aria-invalid="true"]').count(), 1);
  await look('wrong-number');
  await fillSignIn(page, CHEN);
  await page.waitForURL(({ pathname, origin }) => origin === portal(0) || pathname.startsWith('/interaction/'));
  t.is(await page.locator('[role="alert"]').count(), 0);
});

seen('who changes their mind is brought back to the portal, which learned nothing', async (t) => {
  const { page, look } = await visitor(t, { viewport: NARROW });
  await page.goto(`${portal(0)}/login`);
  await page.locator('button[name="decision"][value="cancel"]').click();
  await page.waitForURL(`${portal(0)}/callback**`);
  await look('cancelled');
  t.false((await sessionAt(page, portal(0))).signedIn);
});

seen('E9 a person ends the session of another device, and takes back a consent', async (t) => {
  const [here, there] = [await visitor(t), await visitor(t, { viewport: NARROW })];
  await signInAt(here.page, portal(0), LI);
  await signInAt(there.page, portal(1), LI);
  await here.page.goto(`${product.issuer}/account`);
  const sessions = here.page.locator('form[action="/account/sessions/end"]');
  t.is(await sessions.count(), 2);
  const other = here.page.locator('li', { has: sessions }).filter({ hasNot: here.page.locator('.tag') });
  await other.locator('button').click();
  t.is(await sessions.count(), 1);
  t.true(await letGo(there.page, portal(1)), 'the portal of that device is told');
  t.true((await sessionAt(here.page, portal(0))).signedIn, 'this device stays');
  await there.page.goto(`${portal(1)}/login`);
  t.is(await there.page.locator('input[name="password"]').count(), 1);
  await here.page.locator('form[action="/account/portals/withdraw"] button').first().click();
  await here.look('account-after-withdrawal');
});

seen('a page that cannot go on says what to do and names the number for the help desk', async (t) => {
  const { page, look } = await visitor(t, { viewport: NARROW });
  for (const [name, path, number] of [
    ['fault-unknown-page', '/nowhere', '1002'],
    ['fault-unknown-portal', '/auth?client_id=nobody&response_type=code', '1301'],
    ['fault-ceremony-elsewhere', '/interaction/abcdefghijklmnopqrstu', '1102'],
  ] as const) {
    await page.goto(`${product.issuer}${path}`);
    t.true((await page.locator('dl.reference').textContent())?.includes(number), `${name}: ${number}`);
    await look(name);
  }
});
