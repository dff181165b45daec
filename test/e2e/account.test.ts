import type { ExecutionContext } from 'ava';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { screenshot } from '../support/browser.ts';
import { freshPlace, type Product, startProduct } from '../support/product.ts';
import { NARROW, seen, stage, typeSignIn } from '../support/seen.ts';

const PASSWORD = 'one-login-for-all';
const WANG = '339900199001011014';
const CHEN = '449900200002290028';
let product: Product;
const { visitor } = stage(async (cleanup) => {
  product = await startProduct(cleanup, await freshPlace(cleanup));
});

/** A browser in which a person is signed in at the account centre. */
async function signedIn(t: ExecutionContext, options: BrowserContextOptions = {}, identifier: string = WANG) {
  const { page, watch, look } = await visitor(t, 'account', options);
  await page.goto(`${product.issuer}/account`);
  await typeSignIn(page, identifier, PASSWORD);
  await page.waitForURL(/\/account$/);
  const open = (address: string) => page.goto(product.issuer + address);
  return { page, watch, look, open };
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
