import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import type { Browser } from 'playwright-core';
import {
  axeViolations,
  chromiumPath,
  launchBrowser,
  openContext,
  overflowsSideways,
  screenshot,
} from '../support/browser.ts';
import { freshPlace, type Product, startProduct } from '../support/product.ts';

const PASSWORD = 'one-login-for-all';
const CHEN = '449900200002290028';

const absent = chromiumPath() === undefined;
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

seen('one fetches one’s data, closes the account, changes one’s mind and keeps it', async (t) => {
  const { context, watch } = await openContext(browser, { viewport: { width: 360, height: 780 } });
  t.teardown(() => context.close());
  const page = await context.newPage();
  const look = async (name: string): Promise<void> => {
    await page.waitForLoadState('load');
    t.deepEqual(await axeViolations(page), [], `axe on ${name}`);
    t.false(await overflowsSideways(page), `${name} scrolls sideways`);
    await screenshot(page, `life-${name}`);
  };
  const signIn = async (): Promise<void> => {
    await page.locator('input[name="identifier"]').fill(CHEN);
    await page.locator('input[name="password"]').fill(PASSWORD);
    await page.locator('#sign-in button.primary').click();
  };
  await page.goto(`${product.issuer}/account`);
  await signIn();
  await page.waitForURL('**/account');
  await page.goto(`${product.issuer}/account/data`);
  await look('data');
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.locator('form[action="/account/data/export"] button').click(),
  ]);
  const file = JSON.parse(readFileSync(await download.path(), 'utf8'));
  t.is(file.documents[0].number, CHEN);
  await page.locator('form[action="/account/data/show"] button').click();
  t.is(await page.locator('#section-trail').count(), 1);
  await look('data-all');
  await page.goto(`${product.issuer}/account/portals/history`);
  await look('consents');
  await page.goto(`${product.issuer}/account/documents/correct`);
  await look('correct');
  await page.goto(`${product.issuer}/account/merge`);
  await look('merge');
  await page.goto(`${product.issuer}/account/close`);
  await look('close');
  await page.locator('form[action="/account/close"] button').click();
  await look('close-unticked');
  await page.locator('input[name="agree"]').check();
  await page.locator('form[action="/account/close"] button').click();
  await look('close-done');
  await page.goto(`${product.issuer}/account`);
  await signIn();
  t.is(await page.locator('form[action$="/keep"]').count(), 1);
  await look('closing');
  await page.locator('form[action$="/keep"] button').click();
  t.is(await page.locator('[role="status"]').count(), 1);
  await look('kept');
  await signIn();
  await page.waitForURL('**/account');
  t.deepEqual(watch.problems, []);
});
