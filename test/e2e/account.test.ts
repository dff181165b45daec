import test, { type ExecutionContext } from 'ava';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import {
  axeViolations,
  chromiumPath,
  launchBrowser,
  openContext,
  overflowsSideways,
  screenshot,
} from '../support/browser.ts';
import { freshPlace, type Product, startProduct } from '../support/product.ts';

const NARROW = { width: 360, height: 780 };
const PASSWORD = 'one-login-for-all';
const WANG = '339900199001011014';
const LI = '33990019850701009X';
const CHEN = '449900200002290028';
const PAGES = [
  '/account',
  '/account/documents',
  '/account/methods',
  '/account/methods/password',
  '/account/methods/phone',
  '/account/methods/user-name',
  '/account/recovery-codes',
  '/account/sessions',
  '/account/portals',
  '/account/trail',
  '/account/companies',
  '/account/data',
  '/account/close',
  '/account/display',
] as const;

/** Filled by the first walk that claims the company. */
const companyPages: string[] = [];

const absent = chromiumPath() === undefined;
/** Without Chromium each test is counted as skipped and says why in its title. */
const seen = (title: string, body: (t: ExecutionContext) => Promise<void>): void => {
  if (absent) test.skip(`${title} (no Chromium here; set CHROMIUM_PATH)`, body);
  else test.serial(title, body);
};

let product: Product;
/** One where a proof grows old quickly, so that the page that asks for a new one is met as well. */
let hasty: Product;
let browser: Browser;
const cleanups: (() => unknown)[] = [];

test.before(async () => {
  if (absent) return;
  const cleanup = { teardown: (clean: () => unknown) => void cleanups.unshift(clean) };
  product = await startProduct(cleanup, await freshPlace(cleanup));
  hasty = await startProduct(cleanup, await freshPlace(cleanup), { TONGBAN_ACCOUNT_FRESH_PROOF_SECONDS: '5' });
  const launched = await launchBrowser();
  if (launched.state === 'absent') throw new Error(launched.reason);
  browser = launched.browser;
  cleanups.unshift(() => browser.close());
});

test.after.always(async () => {
  for (const clean of cleanups) await clean();
});

/** A browser in which a person is signed in at the account centre. */
async function signedIn(
  t: ExecutionContext,
  options: BrowserContextOptions = {},
  identifier: string = WANG,
  at: Product = product,
) {
  const { context, watch } = await openContext(browser, options);
  t.teardown(() => context.close());
  const page = await context.newPage();
  await page.goto(`${at.issuer}/account`);
  await page.locator('input[name="identifier"]').fill(identifier);
  await page.locator('input[name="password"]').fill(PASSWORD);
  await page.locator('#sign-in button.primary').click();
  await page.waitForURL(/\/account$/);
  const look = async (name: string): Promise<void> => {
    await page.waitForLoadState('load');
    t.deepEqual(await axeViolations(page), [], `axe on ${name}`);
    t.false(await overflowsSideways(page), `${name} scrolls sideways`);
    await screenshot(page, `account-${name}`);
  };
  const open = (address: string) => page.goto(at.issuer + address);
  return { page, watch, look, open };
}

const WAYS = [
  ['zh', { locale: 'zh-CN' }, ''],
  ['en', { locale: 'en-GB' }, ''],
  ['elder', { locale: 'zh-CN' }, 'text=large'],
  ['elder-en', { locale: 'en-GB' }, 'text=large'],
] as const;

const grantTo = async (page: Page, address: string, name: string, number: string): Promise<void> => {
  await page.goto(product.issuer + address);
  await page.locator('input[name="agentName"]').fill(name);
  await page.locator('input[name="agentNumber"]').fill(number);
  await page.locator('main button.primary').click();
  await page.locator('#matters-problem').waitFor();
  await page.locator('input[name="matter.health-cover"]').check();
  await page.locator('main button.primary').click();
  await page.locator('[role="status"]').waitFor();
};

seen('F3 a company is claimed, people are named, an invitation is accepted: every step by hand', async (t) => {
  const wang = await signedIn(t, { viewport: NARROW });
  await wang.open('/account/companies/claim');
  await wang.page.locator('input[name="uscc"]').fill('91339900MA9X01014O');
  await wang.page.locator('input[name="name"]').fill('示例数字科技有限公司');
  await wang.page.locator('main button.primary').click();
  t.is(await wang.page.locator('input[name="uscc"][aria-invalid="true"]').count(), 1);
  await wang.look('claim-wrong');
  await wang.page.locator('input[name="uscc"]').fill('91339900MA9X01014C');
  await wang.page.locator('main button.primary').click();
  await wang.page.waitForURL(/\/companies\/lgp_/);
  await wang.look('claimed');
  const company = new URL(wang.page.url()).pathname;
  await grantTo(wang.page, `${company}/grant`, '陈雨桐', CHEN);
  await wang.look('granted');
  await wang.page.locator('form[action$="/appoint"] input[name="name"]').fill('李思远');
  await wang.page.locator('form[action$="/appoint"] input[name="idNumber"]').fill(LI);
  await wang.page.locator('form[action$="/appoint"] button').click();
  await wang.page.locator('form[action$="/dismiss"]').waitFor();
  await wang.look('appointed');
  await grantTo(wang.page, '/account/companies/relative', '陈雨桐', CHEN);
  await wang.look('relative-granted');

  const chen = await signedIn(t, { viewport: NARROW }, CHEN);
  t.is(await chen.page.locator('.notice-waiting a').count(), 1);
  await chen.look('overview-invited');
  await chen.open('/account/companies');
  await chen.look('invited');
  await chen.page.locator('form[action="/account/mandates/accept"] button').first().click();
  await chen.page.locator('[role="status"]').waitFor();
  await chen.look('accepted');
  await wang.open('/account/companies');
  const renew = await wang.page.locator('a[href*="/renew"]').first().getAttribute('href');
  companyPages.push(
    '/account/companies/claim',
    '/account/companies/review',
    '/account/companies/relative',
    company,
    `${company}/grant`,
    `${company}/import`,
    `${company}/history`,
    ...(renew === null ? [] : [renew]),
  );
  t.deepEqual([...wang.watch.problems, ...chen.watch.problems], []);
});

for (const [way, options, choice] of WAYS) {
  for (const viewport of [NARROW, { width: 1280, height: 900 }]) {
    seen(`every page of the account is clean and fits (${way}, ${viewport.width} px)`, async (t) => {
      const { watch, look, open } = await signedIn(t, { ...options, viewport });
      if (choice) await open(`/account?${choice}`);
      for (const address of [...PAGES, ...companyPages]) {
        await open(address);
        const name = address
          .slice('/account'.length)
          .replace(/(lgp|mdt)_[\w-]+/, '$1')
          .replace(/\?.*/, '');
        await look(`${way}-${viewport.width}${name}`);
      }
      t.deepEqual(watch.problems, []);
    });
  }
}

for (const [way, options, choice] of WAYS) {
  seen(`an old proof is asked for again, calmly (${way})`, async (t) => {
    const { page, look, open } = await signedIn(t, { ...options, viewport: NARROW }, WANG, hasty);
    if (choice) await open(`/account?${choice}`);
    // Ages are counted in whole seconds.
    await page.waitForTimeout(6500);
    await open('/account/documents');
    await page.locator('form[action="/account/documents/show"] button').click();
    await look(`${way}-prove`);
    await page.locator('input[name="password"]').fill('not the password');
    await page.locator('main button.primary').click();
    t.is(await page.locator('input[name="password"][aria-invalid="true"]').count(), 1);
    await look(`${way}-prove-wrong`);
    await page.locator('input[name="password"]').fill(PASSWORD);
    await page.locator('main button.primary').click();
    await look(`${way}-proven`);
    await page.locator('main button.primary').click();
    t.is(await page.locator('[role="status"]').count(), 1);
    await look(`${way}-documents-shown`);
  });
}

const focusedText = (page: Page): Promise<string> => page.evaluate('document.activeElement.textContent.trim()');

seen('the navigation works by keyboard, folded on a phone and open beside the page on a desktop', async (t) => {
  const phone = await signedIn(t, { viewport: NARROW });
  await phone.open('/account/sessions');
  await phone.page.locator('.account-menu summary').focus();
  t.false(await phone.page.locator('.account-menu a[href="/account/portals"]').isVisible());
  await phone.page.keyboard.press('Enter');
  await phone.look('menu-open');
  await phone.page.keyboard.press('Tab');
  t.is(await focusedText(phone.page), '总览');
  const desktop = await signedIn(t);
  await desktop.open('/account/sessions');
  for (let stops = 0; (await focusedText(desktop.page)) !== '总览' && stops < 10; stops += 1) {
    await desktop.page.keyboard.press('Tab');
  }
  for (let stops = 0; stops < 4; stops += 1) await desktop.page.keyboard.press('Tab');
  t.is(await focusedText(desktop.page), '网站授权');
  await desktop.page.keyboard.press('Enter');
  await desktop.page.waitForURL('**/account/portals');
});

seen(
  'without a script a person changes the display and their password, and mistakes are told at the field',
  async (t) => {
    const { page, open } = await signedIn(t, { javaScriptEnabled: false, viewport: NARROW }, CHEN);
    await open('/account/display');
    await page.locator('#text-large').check();
    await page.locator('#lang-en').check();
    await page.locator('main button.primary').click();
    t.is(await page.locator('html').getAttribute('data-text'), 'large');
    t.is(await page.locator('html').getAttribute('lang'), 'en');
    t.is(await page.locator('[role="status"]').count(), 1);
    await open('/account/methods');
    await page.locator('a[href="/account/methods/password"]').click();
    const fill = async (old: string, fresh: string, again: string) => {
      await page.locator('input[name="password"]').fill(old);
      await page.locator('input[name="newPassword"]').fill(fresh);
      await page.locator('input[name="newPasswordAgain"]').fill(again);
      await page.locator('main button.primary').click();
    };
    await fill(PASSWORD, 'short', 'short');
    t.is(await page.locator('input[name="newPassword"][aria-invalid="true"]').count(), 1);
    t.true((await page.title()).startsWith('Error'));
    await screenshot(page, 'account-password-wrong');
    await fill('not the password', 'seven blue kites', 'seven blue kites');
    t.is(await page.locator('input[name="password"][aria-invalid="true"]').count(), 1);
    await fill(PASSWORD, 'seven blue kites', 'seven blue kites');
    await page.waitForURL('**/account/methods?done=password');
    await screenshot(page, 'account-password-done');
  },
);
