import { readFileSync } from 'node:fs';
import { freshPlace, type Product, startProduct } from '../support/product.ts';
import { NARROW, seen, stage, typeSignIn } from '../support/seen.ts';

const PASSWORD = 'one-login-for-all';
const CHEN = '449900200002290028';

let product: Product;
const { visitor } = stage(async (cleanup) => {
  product = await startProduct(cleanup, await freshPlace(cleanup));
});

seen('one fetches one’s data, closes the account, changes one’s mind and keeps it', async (t) => {
  const { page, watch, look } = await visitor(t, 'life', { viewport: NARROW });
  const signIn = () => typeSignIn(page, CHEN, PASSWORD);
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
  t.is(await page.locator('.notice').count(), 1);
  await look('kept');
  await signIn();
  await page.waitForURL('**/account');
  t.deepEqual(watch.problems, []);
});
