import test from 'ava';
import type { Browser } from 'playwright-core';
import {
  axeViolations,
  chromiumPath,
  launchBrowser,
  openContext,
  overflowsSideways,
  screenshot,
} from '../support/browser.ts';
import { freshPlace, type Product, startProduct, tongban } from '../support/product.ts';

const NET_NUMBER = 'Ab3dEf6hIj9kLm2nOp5q';
const MASKED = 'Ab3dE**********nOp5q';
const PASSWORD = 'one-login-for-all';

const seen = chromiumPath() === undefined ? test.skip : test.serial;

let product: Product;
let browser: Browser;
const cleanups: (() => unknown)[] = [];

test.before(async () => {
  if (chromiumPath() === undefined) return;
  const cleanup = { teardown: (clean: () => unknown) => void cleanups.unshift(clean) };
  product = await startProduct(cleanup, await freshPlace(cleanup));
  const data = { TONGBAN_DATA_DIR: product.dataDir };
  const person = ['--net-number', NET_NUMBER];
  for (const words of [
    ['person', 'add', ...person, '--ial', '3', '--password-stdin'],
    [
      'person',
      'identifier',
      'bind',
      ...person,
      '--type',
      'user_name',
      '--value',
      'Yun.Shan',
      '--verified-by',
      'chosen',
    ],
  ]) {
    const said = await tongban(words, data, `${PASSWORD}\n`);
    if (said.code !== 0) throw new Error(said.stderr);
  }
  const launched = await launchBrowser();
  if (launched.state === 'absent') throw new Error(launched.reason);
  browser = launched.browser;
  cleanups.unshift(() => browser.close());
});

test.after.always(async () => {
  for (const clean of cleanups) await clean();
});

for (const [name, width, locale] of [
  ['nameless-narrow', 360, 'zh-CN'],
  ['nameless-wide', 1280, 'en'],
] as const) {
  seen(`a person who gave neither name nor number goes the whole way (${width} px, ${locale})`, async (t) => {
    const { context, watch } = await openContext(browser, { locale, viewport: { width, height: 900 } });
    t.teardown(() => context.close());
    const page = await context.newPage();
    const look = async (step: string): Promise<void> => {
      await page.waitForLoadState('load');
      t.deepEqual(await axeViolations(page), [], `axe on ${step}`);
      t.false(await overflowsSideways(page), `${step} scrolls sideways`);
      const text = (await page.locator('main').textContent()) ?? '';
      t.false(/undefined|null|NaN/.test(text), `${step}: ${text.slice(0, 400)}`);
      await screenshot(page, `e2e-${name}-${step}`);
    };
    for (const portal of product.portals) {
      await page.goto(`${portal}/login`);
      const identifier = page.locator('input[name="identifier"]');
      if (await identifier.count()) {
        await identifier.fill(width < 1000 ? NET_NUMBER : 'YUN.SHAN');
        await page.locator('input[name="password"]').fill(PASSWORD);
        await page.locator('#sign-in button.primary').click();
        await page.locator('button[name="decision"][value="allow"], .portal-head, main').first().waitFor();
      }
      const allow = page.locator('button[name="decision"][value="allow"]');
      if (await allow.count()) {
        await look('consent');
        await allow.click();
      }
      await page.waitForURL(`${portal}/`);
      await look('portal');
    }
    for (const path of ['/', '/account', '/account/documents', '/account/trail']) {
      await page.goto(product.issuer + path);
      await look(`at${path.replaceAll('/', '-')}`);
    }
    await page.goto(`${product.issuer}/account`);
    t.true(((await page.locator('main').textContent()) ?? '').includes(MASKED));
    t.deepEqual(watch.problems, []);
  });
}
