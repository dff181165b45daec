import type { ExecutionContext } from 'ava';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { authenticatorCode } from '../support/authenticator.ts';
import { freshPlace, type Product, startProduct } from '../support/product.ts';
import { readQr } from '../support/qr-reader.ts';
import { NARROW, seen, stage, typeSignIn } from '../support/seen.ts';

const PASSWORD = 'one-login-for-all';
const WANG = '339900199001011014';
const LI = '33990019850701009X';
const CHEN = '449900200002290028';

let product: Product;
const { visitor } = stage(async (cleanup) => {
  product = await startProduct(cleanup, await freshPlace(cleanup));
});

/** A browser in which a person is signed in at the account centre. */
async function signedIn(t: ExecutionContext, options: BrowserContextOptions, identifier: string) {
  const person = await visitor(t, 'factors', options);
  await person.page.goto(`${product.issuer}/account`);
  await typeSignIn(person.page, identifier, PASSWORD);
  await person.page.waitForURL(/\/account$/);
  return person;
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
  const { context, page: bare } = await visitor(t, 'factors', { javaScriptEnabled: false });
  await context.addCookies(await page.context().cookies());
  await bare.goto(`${product.issuer}/account/methods/authenticator`);
  const secret = (await scanned(t, bare)).searchParams.get('secret') ?? '';
  await bare.locator('input[name="code"]').focus();
  await bare.keyboard.type(authenticatorCode(secret));
  await bare.keyboard.press('Enter');
  await bare.waitForURL(/done=factor$/);
  t.pass();
});
