import { freshPlace, type Product, startProduct, tongban } from '../support/product.ts';
import { allow, seen, stage, typeSignIn } from '../support/seen.ts';

const NET_NUMBER = 'Ab3dEf6hIj9kLm2nOp5q';
const MASKED = 'Ab3dE**********nOp5q';
const PASSWORD = 'one-login-for-all';

let product: Product;
const { visitor } = stage(async (cleanup) => {
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
});

for (const [name, width, locale] of [
  ['nameless-narrow', 360, 'zh-CN'],
  ['nameless-wide', 1280, 'en'],
] as const) {
  seen(`a person who gave neither name nor number goes the whole way (${width} px, ${locale})`, async (t) => {
    const { page, watch, look: lookAt } = await visitor(t, `e2e-${name}`, { locale, viewport: { width, height: 900 } });
    const look = async (step: string): Promise<void> => {
      await lookAt(step);
      const text = (await page.locator('main').textContent()) ?? '';
      t.false(/undefined|null|NaN/.test(text), `${step}: ${text.slice(0, 400)}`);
    };
    for (const portal of product.portals) {
      await page.goto(`${portal}/login`);
      const identifier = page.locator('input[name="identifier"]');
      if (await identifier.count()) {
        await typeSignIn(page, width < 1000 ? NET_NUMBER : 'YUN.SHAN', PASSWORD);
        await page.locator('button[name="decision"][value="allow"], .portal-head, main').first().waitFor();
      }
      if (await page.locator('button[name="decision"][value="allow"]').count()) {
        await look('consent');
        await allow(page);
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
