import test, { type ExecutionContext } from 'ava';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { authenticatorCode } from '../support/authenticator.ts';
import {
  axeViolations,
  chromiumPath,
  launchBrowser,
  openContext,
  overflowsSideways,
  screenshot,
} from '../support/browser.ts';
import { freshPlace, type Product, startProduct } from '../support/product.ts';
import { readQr } from '../support/qr-reader.ts';

const NARROW = { width: 360, height: 780 };
const PASSWORD = 'one-login-for-all';
const WANG = '339900199001011014';
const LI = '33990019850701009X';
const CHEN = '449900200002290028';

const absent = chromiumPath() === undefined;
/** Without Chromium each test is counted as skipped and says why in its title. */
const seen = (title: string, body: (t: ExecutionContext) => Promise<void>): void => {
  if (absent) test.skip(`${title} (no Chromium here; set CHROMIUM_PATH)`, body);
  else test.serial(title, body);
};

let product: Product;
let browser: Browser;
const cleanups: (() => unknown)[] = [];

test.before(async () => {
  if (absent) return;
  const cleanup = { teardown: (clean: () => unknown) => void cleanups.unshift(clean) };
  product = await startProduct(cleanup, await freshPlace(cleanup));
  const launched = await launchBrowser();
  if (launched.state === 'absent') throw new Error(launched.reason);
  browser = launched.browser;
  cleanups.unshift(() => browser.close());
});

test.after.always(async () => {
  for (const clean of cleanups) await clean();
});

/** A browser in which a person is signed in at the account centre. */
async function signedIn(t: ExecutionContext, options: BrowserContextOptions, identifier: string) {
  const { context, watch } = await openContext(browser, options);
  t.teardown(() => context.close());
  const page = await context.newPage();
  await page.goto(`${product.issuer}/account`);
  await page.locator('input[name="identifier"]').fill(identifier);
  await page.locator('input[name="password"]').fill(PASSWORD);
  await page.locator('#sign-in button.primary').click();
  await page.waitForURL(/\/account$/);
  const look = async (name: string): Promise<void> => {
    await page.waitForLoadState('load');
    t.deepEqual(await axeViolations(page), [], `axe on ${name}`);
    t.false(await overflowsSideways(page), `${name} scrolls sideways`);
    await screenshot(page, `factors-${name}`);
  };
  return { page, watch, look };
}

/** What a phone makes of the picture on the page. */
async function scanned(t: ExecutionContext, page: Page): Promise<URL> {
  const says = readQr(await page.locator('svg.qr').screenshot());
  if (says === undefined) {
    t.fail('no camera could read this');
    throw new Error('unreadable');
  }
  return new URL(says);
}

/** From the methods to the app bound by its picture, and back. */
async function addApp(t: ExecutionContext, page: Page, look: (name: string) => Promise<void>, name: string) {
  await page.goto(`${product.issuer}/account/methods`);
  await page.locator('a[href="/account/methods/authenticator"]').click();
  await page.waitForURL(/\/authenticator$/);
  await look(`${name}-authenticator`);
  const address = await scanned(t, page);
  const secret = address.searchParams.get('secret') ?? '';
  const typed = ((await page.locator('.typed-secret').textContent()) ?? '').replaceAll(/\s/g, '');
  t.is(typed, secret, 'the picture and the words say the same');
  await page.locator('input[name="code"]').fill('000000');
  await page.locator('form.narrow button.primary').click();
  await page.locator('input[aria-invalid="true"]').waitFor();
  await look(`${name}-authenticator-wrong`);
  await page.locator('input[name="code"]').fill(authenticatorCode(secret));
  await page.locator('form.narrow button.primary').click();
  await page.waitForURL(/\/account\/methods\?done=factor$/);
  await look(`${name}-methods`);
  return { address, secret };
}

seen('a person at a desk adds an authenticator app by its picture, names it, and removes it again', async (t) => {
  const { page, watch, look } = await signedIn(t, { locale: 'en-GB' }, WANG);
  const { address } = await addApp(t, page, look, 'desk');
  t.is(address.protocol, 'otpauth:');
  t.is(address.hostname, 'totp');
  t.is(address.searchParams.get('issuer'), 'Tongban ID');
  t.false(decodeURIComponent(address.href).includes('王小明'), 'no name in full on a phone that lies about');
  await page.getByRole('link', { name: 'Manage: My phone' }).click();
  await page.waitForURL(/\/account\/methods\/factor\?id=/);
  await look('desk-factor');
  await page.locator('input[name="label"]').fill('The red phone');
  await page.getByRole('button', { name: 'Save the name' }).click();
  await page.waitForURL(/done=factor-renamed$/);
  await page.getByRole('link', { name: 'Manage: The red phone' }).click();
  await page.getByRole('button', { name: 'Remove this factor' }).click();
  await page.waitForURL(/done=factor-removed$/);
  t.is(await page.getByText('The red phone').count(), 0);
  t.deepEqual(watch.problems, []);
});

seen('a person with a phone of 360 px adds one as well, and wants to be always asked', async (t) => {
  const { page, watch, look } = await signedIn(t, { viewport: NARROW }, LI);
  await addApp(t, page, look, 'narrow');
  await page.getByRole('button', { name: '开启：每次登录都要第二次验证' }).click();
  await page.waitForURL(/done=factor-always$/);
  await page.getByRole('button', { name: '关闭：每次登录都要第二次验证' }).waitFor();
  t.deepEqual(watch.problems, []);
});

seen('an elder adds one in large letters, by the keyboard and without script', async (t) => {
  const { page, look } = await signedIn(t, { viewport: NARROW }, CHEN);
  await page.goto(`${product.issuer}/account/display?text=large`);
  await page.goto(`${product.issuer}/account/methods/authenticator`);
  await look('elder-authenticator');
  await scanned(t, page);
  const { context } = await openContext(browser, { javaScriptEnabled: false });
  t.teardown(() => context.close());
  await context.addCookies(await page.context().cookies());
  const bare = await context.newPage();
  await bare.goto(`${product.issuer}/account/methods/authenticator`);
  const secret = (await scanned(t, bare)).searchParams.get('secret') ?? '';
  await bare.locator('input[name="code"]').focus();
  await bare.keyboard.type(authenticatorCode(secret));
  await bare.keyboard.press('Enter');
  await bare.waitForURL(/done=factor$/);
  t.pass();
});
